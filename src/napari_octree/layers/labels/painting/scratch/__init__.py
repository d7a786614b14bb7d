"""What was painted and not saved, on disk: it outlives a crash, and leaves memory to others."""
