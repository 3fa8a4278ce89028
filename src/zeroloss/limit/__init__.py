"""The mean-field limit: collocation in depth, quadrature in θ, flow, fluctuations, prediction."""

from zeroloss.limit.prediction import predict

__all__ = ["predict"]
