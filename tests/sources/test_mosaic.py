"""Mosaics against their fields pasted by hand."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest

from napari_octree.sources import AxisView, SourceError, as_level_source, as_level_sources
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.derived.sampled import sampled_level
from napari_octree.sources.errors import PartialReadError
from napari_octree.sources.mosaic.field import GivenField, GivenFields
from napari_octree.sources.mosaic.field_reading import Stored
from napari_octree.sources.mosaic.given_mosaic import given_mosaic
from napari_octree.sources.mosaic.places import Places
from napari_octree.sources.mosaic.pyramid import Model, mosaic_levels
from napari_octree.sources.mosaic.thumbnail_reading import (
    UNDER_WAY,
    ThumbnailReader,
    Wanted,
)
from napari_octree.sources.protocol import LevelSource


def pyramid(shape: Sequence[int], levels: int, seed: int, dtype: str = "u1") -> list[np.ndarray]:
    finest = np.random.default_rng(seed).integers(1, 255, shape).astype(dtype)
    return [np.ascontiguousarray(finest[..., :: 2**n, :: 2**n]) for n in range(levels)]


def lattice(rows: int, columns: int, shape: tuple[int, ...] = (64, 96), gap: int = 0) -> list:
    return [
        (
            pyramid(shape, 3, row * columns + column),
            (row * (shape[-2] + gap), column * (shape[-1] + gap)),
        )
        for row in range(rows)
        for column in range(columns)
    ]


def pasted(images: list, level: int, shape: Sequence[int]) -> np.ndarray:
    """The slow, obvious mosaic: the first image on top."""
    canvas = np.zeros(shape, images[0][0][0].dtype)
    for levels, translation in reversed(images):
        array = levels[level]
        start = [(round(t) + 2**level // 2) // 2**level for t in translation]
        canvas[
            ..., start[0] : start[0] + array.shape[-2], start[1] : start[1] + array.shape[-1]
        ] = array
    return canvas


@pytest.mark.parametrize("gap", [0, 8])
def test_fields_on_a_lattice_are_where_they_belong_at_every_level(gap: int) -> None:
    images = lattice(3, 4, gap=gap)
    levels, origin = given_mosaic(images)
    assert origin == (0.0, 0.0)
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(np.asarray(level), pasted(images, number, level.shape))


def test_fields_that_overlap_show_the_first_on_top() -> None:
    images = [(levels, (y * 0.9, x * 0.9)) for levels, (y, x) in lattice(3, 3)]
    levels, _ = given_mosaic(images)
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(np.asarray(level), pasted(images, number, level.shape))


def test_a_chunk_of_a_lattice_is_a_chunk_of_a_field_and_is_not_copied(recording_array) -> None:
    images = [([recording_array(levels[0], (32, 32))], place) for levels, place in lattice(2, 2)]
    (level, *_), _ = given_mosaic(images)
    grid = level.grid((1, 1))
    regions = [grid.region(index) for index in grid.indices(tuple((0, n) for n in level.shape))]
    assert len(regions) == 4 * 2 * 3
    block = level.read(regions[0])
    assert block is not None
    assert block.shape == (32, 32)
    log = images[0][0][0].log
    assert len(log.reads) == 1


def test_gaps_are_chunks_of_their_own_that_read_nothing() -> None:
    levels, _ = given_mosaic(lattice(2, 2, gap=8))
    grid = levels[0].grid((1, 1))
    gap = next(grid.indices(((64, 72), (0, 1))))
    assert levels[0].read(grid.region(gap)) is None


def test_translations_count_in_units_and_begin_anywhere() -> None:
    images = lattice(2, 2)
    moved = [(levels, (y * 0.5 - 3, x * 0.25 + 7)) for levels, (y, x) in images]
    levels, origin = given_mosaic(moved, scale=(0.5, 0.25))
    assert origin == (-3.0, 7.0)
    np.testing.assert_array_equal(np.asarray(levels[0]), pasted(images, 0, levels[0].shape))


def test_other_axes_stay_and_images_may_be_stacked_along_them() -> None:
    images = [
        (pyramid((2, 64, 96), 2, 1), (0, 0, 0)),
        (pyramid((2, 64, 96), 2, 2), (2, 0, 96)),
    ]
    levels, _ = given_mosaic(images)
    assert levels[0].shape == (4, 64, 192)
    whole = np.asarray(levels[0])
    np.testing.assert_array_equal(whole[:2, :, :96], images[0][0][0])
    np.testing.assert_array_equal(whole[2:, :, 96:], images[1][0][0])
    assert not whole[2:, :, :96].any()


def test_a_channel_is_a_view_of_the_same_storage() -> None:
    levels, _ = given_mosaic([(pyramid((3, 64, 96), 2, n), (0, 96 * n)) for n in range(2)])
    first, second = (as_level_source(AxisView(levels[0], 0, channel)) for channel in (0, 1))
    assert first.storage.key == second.storage.key
    np.testing.assert_array_equal(read_region(second, ((0, 64), (0, 192))), levels[0][1])


def test_slicing_reads_what_numpy_would() -> None:
    images = lattice(2, 3)
    (level, *_), _ = given_mosaic(images)
    truth = pasted(images, 0, level.shape)
    for index in [(5,), (slice(10, 100, 3), slice(200, 4, -7)), (..., 17), (slice(3, 3),)]:
        np.testing.assert_array_equal(level[index], truth[index])


def test_levels_go_on_until_an_overview_is_small() -> None:
    zeros = np.broadcast_to(np.zeros((), "u1"), (512, 512))
    levels, _ = given_mosaic([(zeros, (512 * y, 512 * x)) for y in range(8) for x in range(4)])
    assert [level.shape for level in levels] == [(4096, 2048), (2048, 1024), (1024, 512)]
    as_level_sources(levels)


def test_coarse_levels_are_means_of_the_coarsest_stored_one() -> None:
    images = [([levels[0]], place) for levels, place in lattice(20, 12, (64, 96))]
    levels, _ = given_mosaic(images)
    assert len(levels) == 2
    finest = pasted(images, 0, levels[0].shape).astype(float)
    means = finest.reshape(640, 2, 576, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(np.asarray(levels[1]), np.rint(means))


class Blocks:
    """Chunks at hand."""

    def __init__(self) -> None:
        self.kept: dict = {}

    def find(self, chunk_id: object) -> tuple | None:
        return self.kept.get(chunk_id)

    def keep(self, chunk_id: object, pixels: object, seconds: float, group: object) -> None:
        self.kept[chunk_id] = (pixels,)


def test_a_field_is_read_once_for_all_coarse_levels(recording_array, read_log) -> None:
    images = [
        ([recording_array(np.full((8, 8), (n + 1) % 256, "u1"), (8, 8))], (8 * y, 8 * x))
        for n, (y, x) in enumerate(np.ndindex(2, 600))
    ]
    levels, _ = given_mosaic(images)
    assert len(levels) == 4
    blocks = Blocks()
    coarse = [level.sharing(blocks) for level in levels[1:]]
    truth = np.repeat(np.repeat(np.arange(1, 1201).reshape(2, 600) % 256, 8, 0), 8, 1)
    for number, level in enumerate(coarse, 1):
        step = 2**number
        np.testing.assert_array_equal(np.asarray(level), truth[::step, ::step])
    assert len(read_log.reads) == 1200


def test_few_fields_are_read_once_too_though_they_are_larger(recording_array, read_log) -> None:
    pixels = np.zeros((135, 135), "u1")
    images = [
        ([recording_array(pixels, pixels.shape)], (135 * y, 135 * x)) for y, x in np.ndindex(4, 16)
    ]
    levels, _ = given_mosaic(images)
    assert len(levels) == 3
    for level in levels[1:]:
        np.asarray(level)
    assert len(read_log.reads) == 64


@pytest.mark.parametrize("answer", [np.full((2, 2), 9, "u1"), None, OSError("gone")])
def test_a_picture_that_another_thread_reads_is_waited_for(answer: object) -> None:
    def read(wanted: Wanted, pixel_size: object) -> Stored:
        asked.append(wanted.number)
        if wanted.number == 0:  # all are claimed by now
            UNDER_WAY.let_go(other, answer)
        return Stored.whole(np.full((4, 4), wanted.number, "u1"), (2, 2))

    asked: list[int] = []
    name = object()
    fields = GivenFields(())
    reader = ThumbnailReader(
        name, fields, (2.0,) * 2, read, np.dtype("u1"), 0, "mean", fields.turn
    )
    wanted = [Wanted(number, ((0, 2), (0, 2)), (2, 2)) for number in range(3)]
    other = (name, 1, wanted[1].box)
    assert UNDER_WAY.claim(other)[1]
    first, second, third = reader.pictures(wanted, 0)
    np.testing.assert_array_equal(first, np.zeros((2, 2)))
    np.testing.assert_array_equal(third, np.full((2, 2), 2))
    assert asked == [0, 2]
    assert second is answer


def test_who_waits_for_a_picture_gets_the_error_of_its_reader() -> None:
    def read(wanted: Wanted, pixel_size: object) -> Stored:
        waiting.append(UNDER_WAY.claim(("broken", 0, wanted.box)))
        return Stored(np.zeros((4, 4), "u1"), (0, 0), ())

    waiting: list[tuple] = []
    fields = GivenFields(())
    reader = ThumbnailReader(
        "broken", fields, (2.0, 2.0), read, np.dtype("u1"), 0, "mean", fields.turn
    )
    with pytest.raises(ZeroDivisionError) as raised:
        reader.pictures([Wanted(0, ((0, 2), (0, 2)), (2, 2))], 0)
    ((future, is_new),) = waiting
    assert not is_new
    assert future.result(0) is raised.value


def test_a_chunk_of_overlapping_fields_is_read_once(recording_array, read_log) -> None:
    images = [
        ([recording_array(levels[0], (64, 96))], (y * 0.9, x * 0.9))
        for levels, (y, x) in lattice(3, 3)
    ]
    (level, *_), _ = given_mosaic(images)
    np.asarray(level.sharing(Blocks()))
    assert len(read_log.reads) == 9


def model(shape: tuple[int, ...], levels: int = 1, dtype: str = "u1") -> Model:
    shapes = tuple((*shape[:-2], shape[-2] >> n, shape[-1] >> n) for n in range(levels))
    return Model(shapes, shapes, np.dtype(dtype), 0)


def field(name: str, levels: Sequence[np.ndarray], sizes: Sequence[tuple]) -> GivenField:
    sources = tuple(as_level_source(level) for level in levels)
    return GivenField(name, sources, tuple(tuple(map(float, size)) for size in sizes))


def mosaic_of(opener: object, count: int, common: Model, width: int = 64) -> tuple:
    shape = common.shapes[0]
    boxes = [
        [*((0, n) for n in shape[:-1]), (width * n, width * n + shape[-1])] for n in range(count)
    ]
    places = Places(np.array(boxes), [f"field {n}" for n in range(count)])
    return mosaic_levels(
        places,
        opener,
        common,
        where="plate",
        identity="plate",
        layout={},
        extent=(*shape[:-1], width * count),
    )


def two(second: GivenField, common: Model) -> tuple:
    shape = common.shapes[0]
    plain = [
        np.ones((*shape[:-2], shape[-2] >> n, shape[-1] >> n), common.dtype)
        for n in range(len(common.shapes))
    ]
    sizes = [(*(1,) * (len(shape) - 2), 2**n, 2**n) for n in range(len(common.shapes))]
    return mosaic_of(GivenFields((field("plain", plain, sizes), second)), 2, common)


def told(level: object, match: str) -> None:
    with pytest.warns(UserWarning, match=match):
        level.deviations.tell()


def test_a_field_of_larger_pixels_is_placed_by_its_size() -> None:
    small = np.random.default_rng(0).integers(0, 255, (32, 32)).astype("u1")
    (level,) = two(field("coarse", [small], [(2, 2)]), model((64, 64)))
    np.testing.assert_array_equal(level[:, 64:], small.repeat(2, 0).repeat(2, 1))


def test_a_field_of_odd_pixels_takes_the_nearest() -> None:
    small = np.arange(64, dtype="u1")[None].repeat(64, 0)
    (level,) = two(field("odd", [small], [(0.75, 0.75)]), model((64, 64)))
    assert level[0, 64:].tolist()[:48] == [int((x + 0.5) / 0.75) for x in range(48)]
    assert not level[:, 64 + 48 :].any()


def test_a_field_with_fewer_levels_is_reduced() -> None:
    fine = np.random.default_rng(0).integers(0, 255, (64, 64)).astype("u1")
    _, level = two(field("one level", [fine], [(1, 1)]), model((64, 64), 2))
    means = np.rint(fine.astype(float).reshape(32, 2, 32, 2).mean(axis=(1, 3)))
    np.testing.assert_array_equal(level[:, 32:], means)


def test_a_field_of_another_type_is_clipped_and_told() -> None:
    wide = np.array([[-5.4, 0.6], [300, np.nan]]).repeat(32, 0).repeat(32, 1)
    (level,) = two(field("float", [wide], [(1, 1)]), model((64, 64)))
    assert level[0::63, 64::63].tolist() == [[0, 1], [255, 0]]
    told(level, "float has another type of pixels")


def test_a_field_that_is_larger_is_cut_and_one_that_is_smaller_leaves_fill() -> None:
    large = np.full((80, 80), 7, "u1")
    (level,) = two(field("large", [large], [(1, 1)]), model((64, 64)))
    assert (level[:, 64:] == 7).all()
    told(level, "large has more pixels")
    (level,) = two(field("small", [large[:40, :50]], [(1, 1)]), model((64, 64)))
    assert (level[:40, 64 : 64 + 50] == 7).all()
    assert not level[40:, 64:].any()
    assert not level[:, 64 + 50 :].any()


def test_a_field_with_fewer_times_leaves_fill() -> None:
    (level,) = two(
        field("short", [np.full((2, 64, 64), 7, "u1")], [(1, 1, 1)]), model((3, 64, 64))
    )
    assert (level[:2, :, 64:] == 7).all()
    assert not level[2, :, 64:].any()
    assert level[2, :, :64].all()


def test_levels_of_odd_sizes_show_no_seam() -> None:
    for lost in (0, 1):  # halved down, halved up
        own = np.full((33 - lost, 33 - lost), 9, "u1")
        common = Model(((65, 65), (33, 33)), ((65, 65), (33, 33)), np.dtype("u1"), 0)
        fields = [field("odd", [np.full((65, 65), 9, "u1"), own], [(1, 1), (65 / len(own),) * 2])]
        _, level = mosaic_of(GivenFields(tuple(fields)), 1, common, width=65)
        assert (level[:33, :33] == 9).all()


class Opener(GivenFields):
    """Some fields are absent, some fail."""

    def __init__(self, count: int, absent: set, failing: set) -> None:
        ones = np.ones((32, 32), "u1")
        super().__init__(tuple(field(f"f{n}", [ones], [(1, 1)]) for n in range(count)))
        object.__setattr__(self, "absent", absent)
        object.__setattr__(self, "failing", failing)

    def field(self, number: int) -> GivenField | None:
        if number in self.failing:
            raise PermissionError(f"f{number} is closed")
        return None if number in self.absent else super().field(number)


def test_absent_fields_are_empty_and_failing_ones_raise_where_they_are() -> None:
    opener = Opener(64, absent={1}, failing={2})
    levels = mosaic_of(opener, 64, model((32, 32)), width=32)
    assert len(levels) == 2
    grid = levels[0].grid((1, 1))
    boxes = [grid.region(next(grid.indices(((0, 1), (32 * n, 32 * n + 1))))) for n in range(4)]
    assert levels[0].read(boxes[1]) is None
    assert levels[0].read(boxes[3]).all()
    with pytest.raises(PermissionError, match="f2 is closed"):
        levels[0].read(boxes[2])


def test_a_coarse_chunk_shows_the_others_and_says_what_failed() -> None:
    opener = Opener(64, absent={1}, failing={2})
    coarse = mosaic_of(opener, 64, model((32, 32)), width=32)[1]
    box = coarse.grid((1, 1)).region((0, 0))
    with pytest.raises(PartialReadError, match="f2 is closed") as caught:
        coarse.read(box)
    shown = caught.value.pixels
    assert isinstance(caught.value.__cause__, PermissionError)
    assert [bool(shown[0, 16 * n]) for n in range(4)] == [True, False, False, True]
    again = pickle.loads(pickle.dumps(caught.value))
    np.testing.assert_array_equal(again.pixels, shown)


def test_one_warning_per_kind_says_how_many() -> None:
    wide = np.ones((32, 32), "u2")
    fields = tuple(field(f"f{n}", [wide], [(1, 1)]) for n in range(5))
    (level,) = mosaic_of(GivenFields(fields), 5, model((32, 32)), width=32)
    np.asarray(level)
    assert level.deviations.counts == {"another type of pixels": 5}
    told(level, r"plate: 5 of the images opened so far \(f0, …\) have another type of pixels")
    level.deviations.tell()  # nothing is told twice


def test_mosaics_are_never_sampled() -> None:
    levels, _ = given_mosaic(lattice(4, 4))
    source = LevelSource(levels[0], (None, None))
    assert sampled_level(source, (64, 64), (0, 1), (1, 1)) is None


def test_keys_follow_pixels_and_places() -> None:
    images = lattice(2, 2)
    first, again = given_mosaic(images)[0], given_mosaic(images)[0]
    assert [a.key for a in first] == [a.key for a in again]
    moved = given_mosaic([images[0], (images[1][0], (0, 500)), *images[2:]])[0]
    assert not {a.key for a in first} & {a.key for a in moved}
    assert len({a.key for a in first}) == len(first)


def test_a_mosaic_goes_to_another_process() -> None:
    images = lattice(2, 2)
    (level, *_), _ = given_mosaic(images)
    twin = pickle.loads(pickle.dumps(level.sharing(Blocks())))
    np.testing.assert_array_equal(np.asarray(twin), np.asarray(level))
    assert twin.blocks is None


def test_the_field_under_a_point_is_named() -> None:
    levels, _ = given_mosaic(lattice(2, 2, gap=8))
    assert levels[0].place_at((1, 1)) == "image 0"
    assert levels[0].place_at((73, 105)) == "image 3"
    assert levels[1].place_at((36.6, 52.2)) == "image 3"
    assert levels[0].place_at((67, 1)) is None
    assert levels[0].place_at((-1, 1)) is None


@pytest.mark.parametrize(
    ("images", "scale", "problem"),
    [
        ([], None, "at least one image"),
        ([(np.zeros((4, 4)), (0, 0)), (np.zeros((2, 4, 4)), (0, 0))], None, "image 1.* 3 axes"),
        ([(np.zeros((4, 4), complex), (0, 0))], None, "image 0.*complex"),
        ([(np.zeros((4, 4)), (0, np.nan))], None, "finite"),
        ([(np.zeros((4, 4)), (0, 0, 0))], None, "image 0: its translation has 3 numbers"),
        ([(np.zeros((4, 4)), (0, 0))], (1, 0), "positive"),
    ],
)
def test_what_is_no_mosaic_is_refused(images: list, scale: tuple | None, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        given_mosaic(images, scale)
