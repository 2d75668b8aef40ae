"""The models that every part is tried on; ``models.MODELS`` is the index."""
