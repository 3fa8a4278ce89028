"""What networks and limits share: problem, block, initial law, kernel, and the names of them."""
