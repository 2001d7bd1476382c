"""Trained networks as one file that another machine can predict with."""
