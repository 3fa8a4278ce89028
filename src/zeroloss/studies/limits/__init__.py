"""Study `limits`: the finite ResNet approaches the mean-field limit as depth and width grow."""
