"""Callbacks for the main thread: each is called once, whatever others do."""

from __future__ import annotations

import weakref

import pytest

from napari_octree.layers.main_loop import MainLoop


class CountedLoop:
    """A toolkit that notes how often it was woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def test_a_callback_that_raises_strands_nobody() -> None:
    loop, toolkit, called = MainLoop(), CountedLoop(), []
    loop.attach(toolkit)  # type: ignore[arg-type]

    def fail() -> None:
        raise ValueError("broken")

    loop.post(fail)
    loop.post(lambda: called.append(1))
    woken = toolkit.woken
    with pytest.raises(ValueError, match="broken"):
        loop.drain()
    assert toolkit.woken == woken + 1, "nobody would call the second one"
    loop.drain()
    assert called == [1]


def test_a_callback_may_run_the_loop_itself() -> None:
    loop, called = MainLoop(), []
    for number in range(3):
        loop.post(loop.drain if number == 0 else lambda n=number: called.append(n))
    loop.drain()
    assert called == [1, 2]


def test_what_is_posted_twice_is_called_twice_and_ends_nothing() -> None:
    loop, called = MainLoop(), []

    def note() -> None:
        called.append(1)

    for callback in (note, lambda: called.append(2), note):
        loop.post(callback)
    loop.drain()
    assert called == [1, 2, 1]


class Owner:
    def __init__(self) -> None:
        self.called = 0

    def method(self) -> None:
        self.called += 1


def test_a_posted_method_keeps_its_object_neither_before_nor_in_the_queue() -> None:
    loop, owner = MainLoop(), Owner()
    post = loop.poster(owner.method)
    post()
    loop.drain()
    assert owner.called == 1
    post()
    gone = weakref.ref(owner)
    del owner
    assert gone() is None, "what waits in the queue keeps it"
    post()
    loop.drain()
