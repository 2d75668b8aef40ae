"""Numbers of a graph: cost, memory, time, and what is laid over its calls and modules."""
