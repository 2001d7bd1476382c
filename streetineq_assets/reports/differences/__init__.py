"""How two studies, packs or generations differ: areas, metrics, and what they were made of."""
