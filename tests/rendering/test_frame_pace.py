"""After an expensive frame the next one waits, and cheap ones never do."""

from napari_octree.rendering.view.frame_pace import CHEAP_MS, PAUSE, FramePace


def test_nothing_waits_before_any_frame_has_ended() -> None:
    pace = FramePace()
    assert pace.wait_ms(100.0) <= 0
    pace.begin(100.0)
    assert pace.under_way
    assert pace.wait_ms(105.0) <= 0


def test_a_cheap_frame_is_followed_at_once() -> None:
    pace = FramePace()
    pace.begin(1.0)
    pace.end(1.0 + CHEAP_MS / 1e3 - 1e-6)
    assert pace.wait_ms(1.0 + CHEAP_MS / 1e3) <= 0


def test_frames_take_a_third_of_the_time() -> None:
    pace = FramePace()
    pace.begin(1.0)
    assert pace.end(1.5) == 500.0
    assert pace.wait_ms(1.5) == PAUSE * 500
    assert pace.wait_ms(2.0) == PAUSE * 500 - 500
    assert pace.wait_ms(2.5) <= 0


def test_an_exports_frames_do_not_count() -> None:
    pace = FramePace()
    pace.begin(1.0, counts=False)
    assert not pace.under_way
