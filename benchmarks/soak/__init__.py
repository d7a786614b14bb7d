"""A random user, all day: `python -m benchmarks.soak [--moves 20000] [--seed 0] [--minutes 30]`.

``arrays``      huge generated levels, on stores that are slow and that fail at times;
``stores``      small ones on real stores of all kinds, one behind a server that fails at times;
``layers``      images, labels and points on any of them;
``user``        what the user does next: a walk is the same for the same seed;
``exporting``   exports in the background, of which what is written is compared;
``frames``      what must hold in every frame and in every read;
``invariants``  what must hold after every move, and when all has settled;
``memory``      what is held, and whether it grows;
``__main__``    the long walk, and a line for each fortieth of it.

`tests/test_soak.py` takes the first steps of it.
"""
