"""Image codes: from pixels to learning-ready shards."""
