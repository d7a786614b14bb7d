"""Texels keep the order and, up to 16 bits, the exact value of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_octree.rendering.gpu.texture_encoding import encoding_for_limits, texture_encoding

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


LIMITS = [
    ("int32", (2**30, 2**30 + 100)),
    ("uint16", (30000, 30000.001)),
    ("float64", (1e38, 8e38)),
    ("float64", (-1.7e308, 1.7e308)),
    ("float64", (1e-300, 2e-300)),
]


@pytest.mark.parametrize(("dtype", "limits"), LIMITS)
def test_limits_that_float32_cannot_hold_scale_the_texels(dtype: str, limits: tuple) -> None:
    plain = texture_encoding(np.dtype(dtype))
    encoding = encoding_for_limits(plain, limits)
    assert encoding != plain
    middle = limits[0] / 2 + limits[1] / 2
    pixels = np.array([[limits[0], middle, limits[1]]]).astype(dtype)
    low, high = encoding.texel_limits(limits)
    shown = (encoding.encode(pixels).astype(float) - low) / (high - low)
    if limits[1] - limits[0] < 1 and np.dtype(dtype).kind in "iu":
        np.testing.assert_allclose(shown, [[0, 0, 0]], atol=1e-3)
    else:
        np.testing.assert_allclose(shown, [[0, 0.5, 1]], atol=1e-3)


@pytest.mark.parametrize(("dtype", "limits"), LIMITS)
def test_small_changes_of_such_limits_upload_nothing(dtype: str, limits: tuple) -> None:
    plain = texture_encoding(np.dtype(dtype))
    encoding = encoding_for_limits(plain, limits)
    low, high = (value / 2 for value in limits)
    middle, half = low + high, high - low
    for factor in (0.5, 0.999, 0.25):
        moved = (middle - factor * half, middle + factor * half)
        assert encoding_for_limits(plain, moved, encoding) is encoding


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_usual_limits_need_no_scaling(dtype: str) -> None:
    plain = texture_encoding(np.dtype(dtype))
    for limits in [(0, 1), (10, 200), (0, 65535), (-1000, 1000), (60000, 60010), (5, 5)]:
        assert encoding_for_limits(plain, limits) is plain


def test_limits_that_are_usual_again_use_plain_texels_again() -> None:
    plain = texture_encoding(np.dtype("int32"))
    scaled = encoding_for_limits(plain, (2**30, 2**30 + 100))
    assert encoding_for_limits(plain, (0, 2**30), scaled) is plain


def test_signed_colours_are_not_normalised() -> None:
    assert texture_encoding(np.dtype("int16"), 4).texel_dtype == np.float32
