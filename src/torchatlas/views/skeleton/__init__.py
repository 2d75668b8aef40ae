"""A graph's modules as Python source: the start of a network whose code is not at hand."""
