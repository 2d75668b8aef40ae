"""Two graphs held against each other."""
