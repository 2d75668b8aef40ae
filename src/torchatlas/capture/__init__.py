"""From a callable and its inputs to a Graph. The only package that knows torch."""
