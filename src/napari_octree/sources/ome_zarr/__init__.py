"""OME-Zarr: metadata by version, and opening what they describe."""
