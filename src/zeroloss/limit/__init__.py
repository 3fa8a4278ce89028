"""The mean-field limit: collocation in depth, quadrature in θ, flow, fluctuations."""
