"""What the dock shows of a layer, by the kind of layer: levels, pictures, places."""
