"""From core data to something a person looks at; knows no torch."""
