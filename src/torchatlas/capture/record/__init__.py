"""Calls and tensors, recorded while a model runs."""
