"""The public face: what `torchatlas` offers by name."""
