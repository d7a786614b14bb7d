"""Points of Neuroglancer's precomputed annotations."""
