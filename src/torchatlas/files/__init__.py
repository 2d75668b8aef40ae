"""Files: .atlas and JSON, how any file is written, and what a file is."""
