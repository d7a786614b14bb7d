"""How well a volume is drawn: coarser while it moves, then in full, strip by strip."""
