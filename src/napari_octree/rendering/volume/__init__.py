"""3-D: bricks in one 3-D texture, walked by the fragment shader."""
