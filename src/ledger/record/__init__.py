"""Claims, estimates and verdicts, and the files that hold them."""
