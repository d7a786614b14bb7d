"""What a layer does to its viewer besides drawing: loading sign, sliders, status, event loop."""
