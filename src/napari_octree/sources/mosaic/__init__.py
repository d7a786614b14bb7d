"""Many placed images as one array per level: plates, tiled scans."""
