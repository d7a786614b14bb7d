"""From the camera to a view, how it moves, and when it rests."""
