"""How browsing a large image feels: stock napari (sync, async) and OctreeImage side by side.

`python -m benchmarks.browse` runs the same scripted session (open, zoom in, pan, zoom out,
revisit) once for every layer and store, each in a process of its own on the same generated
pixels, prints the figures and their ratios and writes them as JSON into `benchmarks/results/`.
"""
