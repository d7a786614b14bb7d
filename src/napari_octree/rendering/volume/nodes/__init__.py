"""The octree of the bricks shown, as texels."""
