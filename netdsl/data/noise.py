"""Random draws as the head of a feed: rows that no field holds, such as a generator's noise.

    feed noise = normal(std = 1)

To add one, write a frozen dataclass after `RandomDraw` and enter it into `RANDOM_DRAWS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.data.draws import Draws
from netdsl.registry import NotNegative, Real, Table

LARGEST = float(np.finfo(np.float32).max) / 16  # Gaussian draws lie within 7 deviations


class RandomDraw:
    """Base of the rows: independent elements, drawn anew for every batch."""

    def numbers(self, draws: Draws, *shape: int) -> np.ndarray:
        """float32 of that shape."""
        raise NotImplementedError


def _fits(*numbers: float) -> None:
    if any(abs(number) > LARGEST for number in numbers):
        raise ValueError(f"draws of such a size do not fit into f32, {LARGEST:.0e} does")


@dataclass(frozen=True)
class Normal(RandomDraw):
    """Gaussian draws of this `mean` and standard deviation: `feed noise = normal(std = 1)`."""

    mean: Real = 0.0
    std: NotNegative = 1.0

    def __post_init__(self) -> None:
        _fits(self.mean, self.std)

    def numbers(self, draws: Draws, *shape: int) -> np.ndarray:
        return np.float32(self.mean) + np.float32(self.std) * draws.normal(*shape)


@dataclass(frozen=True)
class Uniform(RandomDraw):
    """Even draws from `low` up to `high`: `feed noise = uniform(-1, 1)`."""

    low: Real = 0.0
    high: Real = 1.0

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError("`high` is below `low`")
        _fits(self.low, self.high)

    def numbers(self, draws: Draws, *shape: int) -> np.ndarray:
        low, high = np.float32(self.low), np.float32(self.high)
        return low + (high - low) * draws.uniform(*shape)


RANDOM_DRAWS = Table("random draw", {"normal": Normal, "uniform": Uniform})
