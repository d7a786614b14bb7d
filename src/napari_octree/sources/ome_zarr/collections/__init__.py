"""Groups of images: series and scenes."""
