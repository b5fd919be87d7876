"""What convolution and pooling share: windows as views, and work on a few images at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product as every

from netdsl.backends.numpy.view import Shape, View

CHUNK_BYTES = 1 << 21  # of scratch: within the last-level cache, long enough to amortise calls
Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Geometry:
    """Windows over the last axes of an array."""

    sizes: Shape
    kernel: Shape
    windows: Shape
    stride: Shape
    pads: Pads
    dilation: Shape

    @property
    def is_pointwise(self) -> bool:
        """Whether the columns of x are x."""
        return set(self.kernel) == set(self.stride) == {1} and not self.is_padded

    @property
    def is_padded(self) -> bool:
        return any(map(any, self.pads))

    @property
    def padded(self) -> Shape:
        return tuple(n + sum(pads) for n, pads in zip(self.sizes, self.pads))

    def inner(self, wide: View) -> View:
        """Where x lies in its padding."""
        first = wide.rank - len(self.sizes)
        for axis, (n, (before, _)) in enumerate(zip(self.sizes, self.pads), first):
            wide = wide.slice(axis, before, before + n)
        return wide

    def taps(self, wide: View) -> tuple[View, ...]:
        """For every kernel position, the elements of the padded x that it meets."""
        return tuple(self._tap(wide, tap) for tap in every(*map(range, self.kernel)))

    def _tap(self, wide: View, tap: Shape) -> View:
        axis = wide.rank - len(tap)
        for i, count in enumerate(self.windows):
            first = tap[i] * self.dilation[i]
            last = first + (count - 1) * self.stride[i]
            wide = wide.slice(axis + i, first, last + 1, self.stride[i])
        return wide


def chunks(emit, images: int, image_bytes: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, step): the images in parts, each a whole number of chunks of `step` images
    whose scratch fits `CHUNK_BYTES`."""
    for start, stop in emit.parts(images, images * image_bytes / 4):
        most = max(1, CHUNK_BYTES // image_bytes)
        step = -(-(stop - start) // -(-(stop - start) // most))  # chunks as even as they can be
        whole = start + (stop - start) // step * step
        yield start, whole, step
        if whole < stop:
            yield whole, stop, stop - whole
