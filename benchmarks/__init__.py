"""Measurements against the official pair; see README.md."""
