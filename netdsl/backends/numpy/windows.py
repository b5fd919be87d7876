"""What convolution and pooling share: windows as views, and work on a few images at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.view import Shape, View

CHUNK_ELEMENTS = 1 << 17  # of scratch: about the second-level cache; fewer are all overhead
CHUNK_IMAGES = 8  # one vector of float32: transposing more or fewer at once is slower
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
        """Whether every window is one element of x."""
        return set(self.kernel) == {1} and not self.is_padded

    def pixels(self, x: View) -> View:
        """The elements that pointwise windows have."""
        first = x.rank - len(self.sizes)
        for axis, (count, stride) in enumerate(zip(self.windows, self.stride), first):
            x = x.slice(axis, 0, (count - 1) * stride + 1, stride)
        return x

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

    def inner(self, wide: View, lead: int) -> View:
        """Where x lies in its padding, whose axes begin at `lead`."""
        for axis, (n, (before, _)) in enumerate(zip(self.sizes, self.pads), lead):
            wide = wide.slice(axis, before, before + n)
        return wide

    def taps(self, wide: View, lead: int) -> View:
        """The elements of the padded x that every window has: [..., kernel, windows, ...]."""
        end = lead + len(self.sizes)
        steps = wide.strides[lead:end]
        strides = (
            *wide.strides[:lead],
            *(step * d for step, d in zip(steps, self.dilation)),
            *(step * s for step, s in zip(steps, self.stride)),
            *wide.strides[end:],
        )
        shape = (*wide.shape[:lead], *self.kernel, *self.windows, *wide.shape[end:])
        return replace(wide, shape=shape, strides=strides)

    def each_tap(self, wide: View, lead: int) -> tuple[View, ...]:
        """The same as one view [..., windows, ...] for each kernel position."""
        taps = [self.taps(wide, lead)]
        for _ in self.kernel:
            taps = [place for tap in taps for place in tap.places(lead)]
        return tuple(taps)


def chunks(emit: CallEmitter, x: View, image_elements: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, step): the images of x in parts, each a whole number of chunks of `step`
    images, which need so many elements of scratch for an image."""
    images = x.shape[0]
    for start, stop in emit.parts(images, images * image_elements):
        vectors = max(1, CHUNK_ELEMENTS // (image_elements * CHUNK_IMAGES))
        step = min(stop - start, vectors * CHUNK_IMAGES)
        whole = start + (stop - start) // step * step
        yield start, whole, step
        if whole < stop:
            yield whole, stop, stop - whole
