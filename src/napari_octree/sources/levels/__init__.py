"""From whatever a person calls an image to the levels that are read."""
