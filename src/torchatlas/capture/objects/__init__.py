"""Objects of the user's: what they hold, read without calling their methods."""
