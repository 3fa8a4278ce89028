"""What depth does to trained weights: exponents, regularity, and limits of hidden states."""
