"""What a run may change, noted before and put back after it."""
