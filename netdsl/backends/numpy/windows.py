"""What convolution and pooling share: windows as views, and work on a few images at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    def is_apart(self) -> bool:
        """Whether no two windows share an element, and none reaches into padding."""
        reaches = (d * (k - 1) for d, k in zip(self.dilation, self.kernel))
        return not self.is_padded and all(r < s for r, s in zip(reaches, self.stride))

    @property
    def covers(self) -> bool:
        """Whether windows that are apart leave no element out."""
        every = zip(self.sizes, self.kernel, self.windows, self.stride)
        return all(s == k and k * count == n for n, k, count, s in every)

    @property
    def padded(self) -> Shape:
        return tuple(n + sum(pads) for n, pads in zip(self.sizes, self.pads))

    def inner(self, wide: View) -> View:
        """Where x lies in its padding."""
        first = wide.rank - len(self.sizes)
        for axis, (n, (before, _)) in enumerate(zip(self.sizes, self.pads), first):
            wide = wide.slice(axis, before, before + n)
        return wide

    def taps(self, wide: View) -> View:
        """The elements of the padded x that every window has: [..., kernel, windows]."""
        lead = wide.rank - len(self.sizes)
        steps = wide.strides[lead:]
        strides = (
            *wide.strides[:lead],
            *(step * d for step, d in zip(steps, self.dilation)),
            *(step * s for step, s in zip(steps, self.stride)),
        )
        shape = (*wide.shape[:lead], *self.kernel, *self.windows)
        return replace(wide, shape=shape, strides=strides)

    def each_tap(self, wide: View) -> tuple[View, ...]:
        """The same as one view [..., windows] for each kernel position."""
        lead, taps = wide.rank - len(self.sizes), [self.taps(wide)]
        for _ in self.kernel:
            taps = [place for tap in taps for place in tap.places(lead)]
        return tuple(taps)


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
