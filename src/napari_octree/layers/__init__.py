"""napari layer models. They know no Qt and no GL, and read no pixels in the main thread."""
