"""What each group of tensors most likely was: from names, shapes and dtypes alone, each answer with its certainty."""
