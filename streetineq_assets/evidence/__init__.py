"""What predictions are worth, and to whom: pictures or the map, and errors by group of areas."""
