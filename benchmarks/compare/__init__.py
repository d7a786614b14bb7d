"""One harness: the same scripts played on stock napari and on ours, over the same stores.

`python -m benchmarks.compare` plays every scenario with every peer on every store it is for, each
in a process of its own and in turns, and writes the figures as JSON; `python -m
benchmarks.compare.page` writes them into `docs/performance.md`.

``peers``      how a layer is made: stock (sync, async), ours, ours on tensorstore;
``stores``     where pixels come from, and what was read of them;
``scenarios``  what is done: browse, jump, sliders, 3-D, channels, twenty layers, small images;
``session``    one scenario, one peer, one store: a process;
``figures``    medians, quartiles, ratios, promises;
``page``       tables for people.
"""
