"""The tree of a set of points: each node holds a random sample, finer nodes add points."""
