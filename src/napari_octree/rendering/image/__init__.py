"""What is only an image's: contrast limits, interpolation, and its vispy layer."""
