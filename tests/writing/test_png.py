"""PNG files that are written row by row read back equal, by another library."""

import numpy as np
import pytest
from imageio.v3 import imread

from napari_octree.writing import png
from napari_octree.writing.errors import WritingError

PIXELS = np.random.default_rng(0).integers(0, 256, (130, 70, 4)).astype(np.uint8)


@pytest.mark.parametrize("colours", [3, 4])
@pytest.mark.parametrize(("band", "piece"), [(130, 2**22), (33, 2**22), (33, 1000), (1, 1)])
def test_it_reads_back_equal(tmp_path, monkeypatch, colours, band, piece):
    monkeypatch.setattr(png, "PIECE_BYTES", piece)
    with png.PngWriter(tmp_path / "a.png", 70, 130, colours) as writer:
        for top in range(0, 130, band):
            writer.write(PIXELS[top : top + band, :, :colours])
    np.testing.assert_array_equal(imread(tmp_path / "a.png"), PIXELS[..., :colours])


def test_rows_that_lack_leave_no_file(tmp_path):
    with (
        pytest.raises(WritingError, match="1 of 130 rows"),
        png.PngWriter(tmp_path / "a.png", 70, 130) as writer,
    ):
        writer.write(PIXELS[:1])
    with pytest.raises(ValueError, match="for a picture of"):
        png.PngWriter(tmp_path / "a.png", 70, 130).write(PIXELS[:, :9])
    with pytest.raises(WritingError, match="is no picture"):
        png.PngWriter(tmp_path / "a.png", 0, 130)
    with (
        pytest.raises(WritingError, match="No such file"),
        png.PngWriter(tmp_path / "absent" / "a.png", 70, 130),
    ):
        pass
    assert not list(tmp_path.iterdir())
