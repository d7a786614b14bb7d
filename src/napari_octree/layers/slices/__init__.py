"""What of the data is displayed: slices and their overviews."""
