"""A synthetic study in the official input formats, and running it."""
