"""Codes that exist already: files that people bring, read by location in place of images."""
