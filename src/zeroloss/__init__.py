"""zeroloss: an executable paper on training deep overparameterised ResNets to zero loss."""

__version__ = "0.1.0"
