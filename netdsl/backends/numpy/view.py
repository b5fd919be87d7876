"""Buffers and views of them as data: where an array lies, before there is any memory.

A `View` is an offset, a shape and strides into a `Buffer`, all counted in elements, so that
reshape, transpose, slice and expand are arithmetic and cost nothing when the program runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import numpy as np

Kind = Literal["arena", "variable", "constant"]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """`count` elements in a row. Arena buffers share memory by lifetime; a variable's memory is
    the caller's; a constant's is filled once and kept, and whoever writes into one (a border of
    zeros around what is padded, say) leaves it as the next run expects it."""

    dtype: np.dtype
    count: int
    kind: Kind = "arena"

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class View:
    """An array over part of a buffer."""

    buffer: Buffer
    shape: Shape
    strides: Shape
    offset: int = 0
    read_as: np.dtype | None = None  # another dtype of the same width, for work on bits

    @property
    def dtype(self) -> np.dtype:
        return self.read_as or self.buffer.dtype

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def is_dense(self) -> bool:
        """Whether the elements lie one behind the other in row-major order."""
        return all(
            n == 1 or stride == dense
            for n, stride, dense in zip(self.shape, self.strides, dense_strides(self.shape))
        ) or self.size == 0

    def reshape(self, *shape: int) -> View | None:
        """The same elements under another shape, or None where that needs a copy."""
        strides = _reshaped(self.shape, self.strides, shape)
        return None if strides is None else replace(self, shape=shape, strides=strides)

    def flat(self, lead: int) -> View | None:
        """With the axes from `lead` on as one, or None where that needs a copy."""
        return self.reshape(*self.shape[:lead], prod(self.shape[lead:]))

    def transpose(self, *axes: int) -> View:
        shape, strides = (tuple(of[i] for i in axes) for of in (self.shape, self.strides))
        return replace(self, shape=shape, strides=strides)

    def slice(self, axis: int, start: int, stop: int, step: int = 1) -> View:
        count = len(range(start, stop, step))
        shape = (*self.shape[:axis], count, *self.shape[axis + 1 :])
        strides = (*self.strides[:axis], self.strides[axis] * step, *self.strides[axis + 1 :])
        offset = self.offset + start * self.strides[axis]
        return replace(self, shape=shape, strides=strides, offset=offset)

    def rows(self, start: int, stop: int) -> View:
        """The part `start..stop` of the first axis."""
        return self.slice(0, start, stop)

    def at(self, axis: int, index: int) -> View:
        """One place of an axis, which is dropped."""
        part = self.slice(axis, index, index + 1)
        shape, strides = (of[:axis] + of[axis + 1 :] for of in (self.shape, self.strides))
        return replace(part, shape=shape, strides=strides)

    def places(self, axis: int) -> tuple[View, ...]:
        """Every place of an axis, each without it."""
        return tuple(self.at(axis, index) for index in range(self.shape[axis]))

    def flip(self, *axes: int) -> View:
        """With these axes read backwards."""
        offset = self.offset + sum((self.shape[i] - 1) * self.strides[i] for i in axes)
        strides = tuple(-s if i in axes else s for i, s in enumerate(self.strides))
        return replace(self, strides=strides, offset=offset)

    def expand(self, shape: Shape, axes: Shape = ()) -> View:
        """Repeated along axes of size 1 and along `axes` of `shape`, which it lacks."""
        have = iter(zip(self.shape, self.strides))
        pairs = [(1, 0) if i in axes else next(have) for i in range(len(shape))]
        strides = tuple(0 if n == 1 else stride for n, stride in pairs)
        return replace(self, shape=shape, strides=strides)

    def broadcast(self, shape: Shape) -> View:
        """As an operand against `shape`, by NumPy's rules."""
        return self.expand(shape, tuple(range(len(shape) - self.rank)))

    def bits(self) -> View:
        """The same elements as signed integers of their width."""
        return replace(self, read_as=np.dtype(f"i{self.dtype.itemsize}"))


def dense(buffer: Buffer, shape: Shape) -> View:
    """The whole of a buffer in row-major order."""
    return View(buffer, shape, dense_strides(shape))


def dense_strides(shape: Shape) -> Shape:
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def _reshaped(shape: Shape, strides: Shape, wanted: Shape) -> Shape | None:
    """Strides for `wanted` over the same memory, or None.

    Axes that are one behind the other in memory merge into runs; a wanted axis must split a run
    from its end.
    """
    if prod(shape) == 0:
        return dense_strides(wanted)
    runs: list[list[int]] = []  # [length, stride of the innermost element]
    for n, stride in zip(shape, strides):
        if n == 1:
            continue
        if runs and runs[-1][1] == n * stride:
            runs[-1] = [runs[-1][0] * n, stride]
        else:
            runs.append([n, stride])
    made: list[int] = []
    left, step = runs.pop() if runs else (1, 1)
    for n in reversed(wanted):
        if left == 1 and n != 1 and runs:
            left, step = runs.pop()
        if left % n:
            return None
        made.append(step)
        left, step = left // n, step * n
    return tuple(reversed(made))
