"""Storage arrays, one file a kind of array that the user may hand in."""
