"""Slots, GPU memory, the budget of uploads, encodings, matrices."""
