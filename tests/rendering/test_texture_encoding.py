"""Texels keep the order and, up to 16 bits, the exact value of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_octree.rendering.texture_encoding import texture_encoding

EXACT = ["bool", "uint8", "int8", "uint16", "int16", "float16", "float32"]


@pytest.mark.parametrize("dtype", EXACT)
@given(data=st.data())
def test_small_types_are_exact(dtype: str, data: st.DataObject) -> None:
    elements = {"allow_nan": False} if dtype.startswith("float") else {}
    pixels = data.draw(
        hnp.arrays(dtype, (3, 4), elements=hnp.from_dtype(np.dtype(dtype), **elements))
    )
    encoding = texture_encoding(np.dtype(dtype))
    texels = encoding.encode(pixels)
    assert texels.dtype == encoding.texel_dtype
    if encoding.clim_dtype.kind == "f":
        np.testing.assert_array_equal(texels, pixels.astype(np.float32))
        return
    # What the shader sees, mapped back by the range that contrast limits are normalised with.
    seen = texels / np.iinfo(encoding.texel_dtype).max
    limits = np.iinfo(encoding.clim_dtype)
    np.testing.assert_allclose(seen * (limits.max - limits.min) + limits.min, pixels, atol=1e-9)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64", "float64"])
def test_large_types_become_float32(dtype: str) -> None:
    pixels = np.array([[0, 1], [1000, 2**23]], dtype)
    texels = texture_encoding(np.dtype(dtype)).encode(pixels)
    assert texels.dtype == np.float32
    np.testing.assert_array_equal(texels, pixels.astype(np.float32))


def test_nan_survives() -> None:
    texels = texture_encoding(np.dtype("float64")).encode(np.array([[np.nan, np.inf]]))
    assert np.isnan(texels[0, 0])
    assert np.isposinf(texels[0, 1])


def test_encoding_does_not_copy_what_fits() -> None:
    pixels = np.zeros((4, 4), np.uint16)
    assert np.shares_memory(texture_encoding(pixels.dtype).encode(pixels), pixels)


def test_bytes_of_a_texel() -> None:
    assert texture_encoding(np.dtype("int16")).texel_bytes == 2
    assert texture_encoding(np.dtype("float64"), 4).texel_bytes == 16
