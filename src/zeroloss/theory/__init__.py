"""What follows from a limit: certificates of size, the law of the risk, sizes on one's own problem."""
