"""Stores by address: folders, zip files, http(s), s3, gs, az; objects by name, never listed."""
