"""Images acquired from providers of street imagery: planned first, then fetched, then audited."""
