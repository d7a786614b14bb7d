"""Where points come from: arrays in memory, and the format that we build."""
