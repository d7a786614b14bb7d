"""Drawing with vispy: atlases, upload budget, visuals, shaders. GUI thread only."""
