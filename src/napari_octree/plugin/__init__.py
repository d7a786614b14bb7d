"""The functions that napari.yaml names, and the command line. They read metadata only."""
