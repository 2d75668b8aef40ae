"""What a model says of weights that it is given, asked of the model itself."""
