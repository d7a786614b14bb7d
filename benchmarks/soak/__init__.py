"""A random user, all day: `python -m benchmarks.soak [--moves 20000] [--seed 0] [--minutes 30]`.

``arrays``      huge generated images and labels, on stores that are slow and that fail at times;
``user``        what the user does next: a walk is the same for the same seed;
``invariants``  what must hold after every move;
``__main__``    the long walk, and a line for each fortieth of it.

`tests/test_soak.py` takes the first steps of it.
"""
