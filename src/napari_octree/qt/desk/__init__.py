"""The Octree dock: levels, minimap, switches, meters, bookmarks, report."""
