"""What the predictions are worth and to whom: errors by group of areas, and who would lose."""
