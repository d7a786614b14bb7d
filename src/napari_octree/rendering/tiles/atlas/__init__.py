"""The atlas of tiles: slots, texture, borders, size."""
