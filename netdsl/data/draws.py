"""Random draws of the data: they depend on seed, stream, epoch, batch and row alone.

Numbers are made from the generator's raw bits here, since NumPy does not promise that its own
distributions stay as they are from version to version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from netdsl import streams

MEASURING = 2**63  # the seed of what is drawn to measure a model, which no training has


def raw_bits(
    seed: int, stream: str, epoch: int, batch: int, count: int, row: int = 0
) -> np.ndarray:
    """`count` random uint64; each row's lie 2⁶⁴ blocks behind those of the row before."""
    generator = streams.stream(seed, stream, batch, epoch)
    if row:
        generator.advance(row << 64)
    return generator.random_raw(count)


def shuffled(count: int, seed: int, stream: str, epoch: int = 0) -> np.ndarray:
    """A permutation of 0 … count - 1."""
    return np.argsort(raw_bits(seed, stream, epoch, 0, count), kind="stable")


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of one transform for one batch; each method begins anew."""

    seed: int
    stream: str
    epoch: int
    batch: int
    row: int = 0

    def of_row(self, row: int) -> Draws:
        """Draws of a row's own, as many as it needs."""
        return replace(self, row=row)

    def uniform(self, *shape: int) -> np.ndarray:
        """float32 in [0, 1), multiples of 2⁻²⁴."""
        bits = self._bits(prod(shape)).reshape(shape) >> np.uint64(40)
        return bits.astype(np.float32) * np.float32(2**-24)

    def normal(self, *shape: int) -> np.ndarray:
        """float32 of the standard normal distribution."""
        count = prod(shape)
        numbers = streams.normal(self._bits(-(-count // 2)), count)
        return numbers.astype(np.float32).reshape(shape)

    def _bits(self, count: int) -> np.ndarray:
        return raw_bits(self.seed, self.stream, self.epoch, self.batch, count, self.row)
