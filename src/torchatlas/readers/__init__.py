"""Files of others -> Graph."""
