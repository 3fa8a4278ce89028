"""Study `imitation`: a deep thin network made from a wide one, layer by layer."""
