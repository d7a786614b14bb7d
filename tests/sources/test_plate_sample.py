import numpy as np

from napari_octree.sources.samples.plate import plate, row_name


def test_levels_show_the_same_plate():
    levels = plate(2, 3, fields=4, side=128, levels=3)
    fine, coarse = (np.asarray(level).astype(float) for level in (levels[0], levels[2]))
    rows, columns = coarse.shape
    means = fine.reshape(rows, 4, columns, 4).mean(axis=(1, 3))
    assert np.corrcoef(means.ravel(), coarse.ravel())[0, 1] > 0.97
    assert levels[0].place_at((1, 130)) == "A/01 field 2"


def test_a_box_is_part_of_the_whole():
    (level, *_) = plate(1, 2, fields=1, side=96, levels=1)
    np.testing.assert_array_equal(level[10:50, 20:90], np.asarray(level)[10:50, 20:90])


def test_rows_are_named_as_on_plates():
    assert [row_name(n) for n in (0, 25, 26, 31)] == ["A", "Z", "AA", "AF"]


def test_a_plate_of_1536_wells_costs_nothing_to_make():
    levels = plate(32, 48)
    assert max(levels[-1].shape) <= 1024
    assert len(levels[0].places) == 6144
