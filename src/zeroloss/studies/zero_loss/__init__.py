"""Study `zero_loss`: the mean-field flow reaches zero loss, at which rate, and when it does not."""
