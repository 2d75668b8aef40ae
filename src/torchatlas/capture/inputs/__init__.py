"""From what the user gave to the arguments of the call."""
