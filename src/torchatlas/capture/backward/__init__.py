"""The autograd graph, from tensors to the leaves: a Graph in the order of the backward pass."""
