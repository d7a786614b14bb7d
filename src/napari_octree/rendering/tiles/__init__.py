"""2-D: one atlas texture, one draw call."""
