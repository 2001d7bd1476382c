"""Tests of the synthetic study."""
