"""Random draws as the head of a feed: rows that no field holds, such as a generator's noise.

    feed noise = normal(std = 1)

To add one, write a frozen dataclass after `RandomDraw` and enter it into `RANDOM_DRAWS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.registry import NotNegative, Real, Table


class RandomDraw:
    """Base of the rows: independent elements, drawn anew for every batch."""

    pending: ClassVar[bool] = True


@dataclass(frozen=True)
class Normal(RandomDraw):
    """Gaussian draws of this `mean` and standard deviation: `feed noise = normal(std = 1)`."""

    mean: Real = 0.0
    std: NotNegative = 1.0


@dataclass(frozen=True)
class Uniform(RandomDraw):
    """Even draws from `low` up to `high`: `feed noise = uniform(-1, 1)`."""

    low: Real = 0.0
    high: Real = 1.0

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError("`high` is below `low`")


RANDOM_DRAWS = Table("random draw", {"normal": Normal, "uniform": Uniform})
