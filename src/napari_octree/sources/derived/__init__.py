"""Levels that nobody stored, computed in workers from those that are given."""
