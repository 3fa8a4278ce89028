"""The mean-field limit: collocation in depth, quadrature in θ, flow, fluctuations, predicted laws."""

from zeroloss.limit.prediction import predict

__all__ = ["predict"]
