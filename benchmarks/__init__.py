"""zeroloss beside its peers: time, memory and accuracy, measured alternately in one run.

`make bench`, or `python -m benchmarks.run`, writes benchmarks/results/. Nothing here is imported by
the package; "ours" is its public API alone.
"""
