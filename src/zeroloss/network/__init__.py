"""The finite ResNet in torch and in C, one of it or an ensemble."""
