"""Graphs made of other graphs: parts put together, left out, renamed."""
