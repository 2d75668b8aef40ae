"""A recorded run, measured: time, memory, statistics."""
