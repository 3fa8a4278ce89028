"""What a notebook adds: plots into one's own axes."""
