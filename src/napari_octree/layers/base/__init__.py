"""What all octree layers share: a layer's viewers and loader, and its levels of pixels."""
