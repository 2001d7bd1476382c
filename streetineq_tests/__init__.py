"""Tests of the platform: a specification by folder; see the README for how to run them."""
