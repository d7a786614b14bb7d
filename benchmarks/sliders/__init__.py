"""How sliders feel: stock napari (sync, async) and OctreeImage side by side.

`python -m benchmarks.sliders` moves the z slider of several stacks once for every layer, each in
a process of its own, prints the figures and what is promised of ours, and writes them as JSON
into `benchmarks/results/`.
"""
