"""Plain frozen data and pure functions on it; the standard library alone."""
