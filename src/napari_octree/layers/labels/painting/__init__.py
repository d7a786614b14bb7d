"""Painting: edits in memory above levels that nobody changes."""
