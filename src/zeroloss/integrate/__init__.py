"""Gradient flows in training time: an explicit pair, an exponential method, one controller."""
