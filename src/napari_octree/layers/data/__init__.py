"""What a layer shows: levels, those computed, and stores that grow."""
