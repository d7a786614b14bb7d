"""Points: nodes of a tree in the slots of one vertex buffer."""
