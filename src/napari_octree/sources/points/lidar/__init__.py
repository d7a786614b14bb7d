"""Points of lidar files: COPC as it is, LAS and LAZ to be indexed."""
