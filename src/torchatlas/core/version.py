"""The version of torchatlas, said here alone; written into every graph and file."""

__version__ = "0.1.0"
