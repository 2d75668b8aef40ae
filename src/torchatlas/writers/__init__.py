"""core -> files of other tools; the graph is all that most of them need."""
