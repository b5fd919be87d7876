"""Random draws of the data: they depend on seed, stream, epoch and batch alone.

Numbers are made from the generator's raw bits here, since NumPy does not promise that its own
distributions stay as they are from version to version.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from netdsl import streams


def raw_bits(seed: int, stream: str, epoch: int, batch: int, count: int) -> np.ndarray:
    """`count` random uint64."""
    return streams.stream(seed, stream, batch, epoch).random_raw(count)


def shuffled(count: int, seed: int, stream: str, epoch: int = 0) -> np.ndarray:
    """A permutation of 0 … count - 1."""
    return np.argsort(raw_bits(seed, stream, epoch, 0, count), kind="stable")


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of one transform for one batch."""

    seed: int
    stream: str
    epoch: int
    batch: int

    def uniform(self, *shape: int) -> np.ndarray:
        """float32 in [0, 1), multiples of 2⁻²⁴."""
        bits = self._bits(shape) >> np.uint64(40)
        return bits.astype(np.float32) * np.float32(2**-24)

    def integers(self, stop: int, *shape: int) -> np.ndarray:
        """int64 in 0 … stop - 1, for a `stop` below 2³¹; even to 1 part in 2³² / stop."""
        high = self._bits(shape) >> np.uint64(32)
        return ((high * np.uint64(stop)) >> np.uint64(32)).astype(np.int64)

    def _bits(self, shape: tuple[int, ...]) -> np.ndarray:
        bits = raw_bits(self.seed, self.stream, self.epoch, self.batch, prod(shape))
        return bits.reshape(shape)
