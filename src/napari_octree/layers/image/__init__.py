"""What is only an image."""
