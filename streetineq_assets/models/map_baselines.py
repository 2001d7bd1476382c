"""Placeholder until merged."""

MAPS = ("map_knn",)
