"""The picture of a graph: boxes inside boxes, and the tensors that flow between them, as SVG, PNG, PDF and DOT."""
