"""The studies of the paper: one package each, with one name in every room of the house."""
