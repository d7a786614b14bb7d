import math
from dataclasses import replace

import pytest

from napari_octree.octree import AT_REST, Velocity, observe


def travel(speeds, dt=0.016, motion=AT_REST, pixel=2.0):
    """Motion after frames with a (pan y, pan x, octaves, slices) per second each."""
    y = x = octave = z = 0.0
    for frame, (vy, vx, vo, vz) in enumerate([(0, 0, 0, 0), *speeds]):
        y, x, octave, z = (y + vy * dt * pixel, x + vx * dt * pixel, octave + vo * dt, z + vz * dt)
        size = pixel * 2.0**octave
        motion = observe(motion, frame * dt, (y, x), (size, size), z)
    return motion


def test_a_steady_move_is_measured_in_its_units():
    motion = travel([(300.0, -100.0, 0.0, 7.0)] * 60)
    assert motion.pan[0].mean == pytest.approx(300, rel=0.01)
    assert motion.pan[1].mean == pytest.approx(-100, rel=0.01)
    assert motion.scroll.mean == pytest.approx(7, rel=0.01)
    assert motion.scrolled
    assert motion.pan[0].variance < 30**2, "what is left of the start"
    zooming = travel([(0, 0, 1.5, 0)] * 60)
    assert zooming.zoom.mean == pytest.approx(1.5, rel=0.01)
    assert not zooming.scrolled


def test_half_of_a_speed_is_forgotten_in_a_half_life():
    steady = travel([(300.0, 0, 0, 0)] * 100)
    rest = observe(steady, steady.time_s + 0.12, steady.centre, (2.0, 2.0))
    assert rest.pan[0].mean == pytest.approx(150, rel=0.01)
    assert rest.pan[0].variance > 100**2


def test_a_pause_begins_anew():
    steady = travel([(300.0, 0, 0, 0)] * 100)
    later = observe(steady, steady.time_s + 10, steady.centre, (2.0, 2.0))
    assert later.pan[0] == Velocity()


def test_frame_rate_does_not_matter():
    slow, fast = travel([(300.0, 0, 0, 0)] * 10, 0.032), travel([(300.0, 0, 0, 0)] * 20, 0.016)
    assert slow.pan[0].mean == pytest.approx(fast.pan[0].mean)


def test_two_looks_at_one_moment_lose_nothing():
    start = observe(AT_REST, 1.0, (0.0, 0.0), (1.0, 1.0))
    same = observe(start, 1.0, (5.0, 0.0), (1.0, 1.0))
    after = observe(same, 1.1, (10.0, 0.0), (1.0, 1.0))
    direct = observe(start, 1.1, (10.0, 0.0), (1.0, 1.0))
    assert after == direct


def test_observing_is_pure_and_hashable():
    start = observe(AT_REST, 0.0, (0.0, 0.0), (1.0, 1.0))
    assert observe(start, 1.0, (1.0, 0.0), (1.0, 1.0)) == observe(
        start, 1.0, (1.0, 0.0), (1.0, 1.0)
    )
    assert hash(start) == hash(replace(start))


def test_probability_follows_direction_speed_and_distance():
    right = Velocity(100.0, 20.0**2)
    reach = [right.reach(d, 1.0, 10.0) for d in (10.0, 80.0, 100.0, 150.0, 400.0)]
    assert reach == sorted(reach, reverse=True)
    assert reach[2] == pytest.approx(0.5)
    assert right.reach(-50.0, 1.0, 10.0) < 1e-6
    still = Velocity()
    assert still.reach(20.0, 1.0, 10.0) == still.reach(-20.0, 1.0, 10.0)
    # The normal distribution's tail beyond two deviations.
    assert still.reach(20.0, 1.0, 10.0) == pytest.approx(0.0227501, abs=1e-6)


def test_certainty_has_no_deviation():
    assert Velocity(10.0, 0.0).reach(9.0, 1.0, 0.0) == 1.0
    assert Velocity(10.0, 0.0).reach(11.0, 1.0, 0.0) == 0.0
    assert math.isclose(Velocity(0.0, 0.0).reach(0.0, 1.0, 1.0), 0.5)
