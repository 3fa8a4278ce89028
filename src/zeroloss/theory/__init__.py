"""What follows from a limit: certificates of size, the law of the risk, sizes for a problem."""
