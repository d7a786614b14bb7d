"""Plates of wells and fields, each plate one mosaic."""
