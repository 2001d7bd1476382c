"""The report as a page: its sections, its maps, and what finds an area in it."""
