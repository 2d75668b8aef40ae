"""What is known of an operator by its name."""
