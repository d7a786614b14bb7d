"""What is drawn of the tiles of an atlas, and what stands in for those to come."""
