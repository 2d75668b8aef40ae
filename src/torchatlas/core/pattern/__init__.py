"""The language of patterns: what it says, and where it is found in a run."""
