"""Views as arithmetic against NumPy's own."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netdsl.backends.numpy.program import over
from netdsl.backends.numpy.view import Buffer, View, dense

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def pair(shape: tuple[int, ...]) -> tuple[View, np.ndarray]:
    """A view of a whole buffer and the array that it is."""
    count = int(np.prod(shape))
    flat = np.arange(count, dtype=np.float32)
    return dense(Buffer(flat.dtype, count), shape), flat.reshape(shape)


def same(view: View, array: np.ndarray, flat: np.ndarray) -> None:
    np.testing.assert_array_equal(over(flat, view), array)
    assert view.is_dense == array.flags.c_contiguous


@st.composite
def derived(draw):
    """A view after up to three steps, and the same steps in NumPy."""
    view, array = pair(tuple(draw(SIZES)))
    flat = array.reshape(-1)
    for _ in range(draw(st.integers(0, 3))):
        axis = draw(st.integers(0, array.ndim - 1))
        kind = draw(st.sampled_from(("transpose", "slice", "flip", "expand", "at")))
        if kind == "transpose":
            axes = draw(st.permutations(range(array.ndim)))
            view, array = view.transpose(*axes), array.transpose(axes)
        elif kind == "slice":
            start = draw(st.integers(0, array.shape[axis] - 1))
            stop = draw(st.integers(start + 1, array.shape[axis]))
            step = draw(st.integers(1, 3))
            where = (slice(None),) * axis + (slice(start, stop, step),)
            view, array = view.slice(axis, start, stop, step), array[where]
        elif kind == "flip":
            view, array = view.flip(axis), np.flip(array, axis)
        elif kind == "expand":
            shape = (*array.shape[:axis], 3, *array.shape[axis:])
            array = np.broadcast_to(np.expand_dims(array, axis), shape)
            view = view.expand(shape, (axis,))
        elif array.ndim > 1:
            index = draw(st.integers(0, array.shape[axis] - 1))
            view, array = view.at(axis, index), np.take(array, index, axis)
    return view, array, flat


@settings(max_examples=150, deadline=None)
@given(derived())
def test_steps_are_numpys(case):
    view, array, flat = case
    assert view.shape == array.shape
    np.testing.assert_array_equal(over(flat, view), array)


@settings(max_examples=150, deadline=None)
@given(derived(), st.data())
def test_reshape_is_numpys_or_none(case, data):
    view, array, flat = case
    wanted, left = [], array.size
    while left > 1 and len(wanted) < 4:
        factor = data.draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0]))
        wanted.append(factor)
        left //= factor
    wanted = (*wanted, left)
    reshaped = view.reshape(*wanted)
    if reshaped is None:
        assert not view.is_dense
    else:
        np.testing.assert_array_equal(over(flat, reshaped), array.reshape(wanted))


def test_reshape_without_copy_where_numpy_has_one():
    view, array = pair((2, 3, 4))
    part = view.slice(0, 0, 1).reshape(12)
    assert part is not None and part.strides == (1,)
    assert view.transpose(0, 2, 1).reshape(24) is None
    assert view.slice(2, 0, 2).reshape(6, 2).strides == (4, 1)
    assert view.at(2, 0).expand((2, 3, 5), (2,)).reshape(6, 5).strides == (4, 0)


def test_dense_says_what_numpy_says():
    view, array = pair((2, 3, 4))
    flat = array.reshape(-1)
    same(view, array, flat)
    same(view.transpose(0, 2, 1), array.transpose(0, 2, 1), flat)
    same(view.slice(0, 1, 2), array[1:2], flat)
    same(view.slice(1, 0, 2), array[:, :2], flat)
