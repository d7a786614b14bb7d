"""The commonest value of each box, against counting pixel by pixel."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.sources.derived.mode import reduce_mode


@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 5)),
    factors=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)),
    seed=st.integers(0, 99),
)
def test_mode_is_the_commonest_value(shape, factors, seed):
    block = np.random.default_rng(seed).integers(0, 3, shape).astype(np.uint64) + 2**63
    result = reduce_mode(block, factors)
    assert result.shape == tuple(-(-n // f) for n, f in zip(shape, factors, strict=True))
    assert result.dtype == block.dtype
    for index in np.ndindex(result.shape):
        box = block[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, factors, strict=True))]
        counts = Counter(box.ravel().tolist())
        most = max(counts.values())
        first = next(v for v in box.ravel().tolist() if counts[v] == most)
        assert result[index] == first
