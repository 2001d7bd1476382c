"""Street images: where they are, and to which areas their locations belong."""
