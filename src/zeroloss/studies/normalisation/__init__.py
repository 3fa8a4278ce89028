"""Study `normalisation`: the largest learning rate before and after BatchNorm, from mean-field recursions."""
