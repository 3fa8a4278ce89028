"""Depth over width: random networks of finite size, and what trained linear ones keep of them."""
