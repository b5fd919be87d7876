"""What every transform is: a row that makes other rows of a batch. Also the kinds of arguments that
several of them take."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np

from netdsl.data.draws import Draws
from netdsl.ir.program import Setting
from netdsl.registry import BadArgument, Kind, list_of, real, whole

RowShape: TypeAlias = tuple[int | None, ...]  # None: a size that the files decide
Rows: TypeAlias = "np.ndarray | list[np.ndarray]"  # [N, …], or N arrays that differ in size

MOST_PIXELS = 8192  # along one side


class Unfit(ValueError):
    """Rows that a transform cannot work on: why, and what would help where that is known."""

    def __init__(self, reason: str, way: str | None = None):
        super().__init__(reason)
        self.reason, self.way = reason, way


class Transform:
    """Base of the rows. `draws_each` is how many random numbers it needs for each row; `unit_range`
    tells that it takes values for parts of full brightness, 0 for black and 1 for white."""

    draws_each: ClassVar[int] = 0
    unit_range: ClassVar[bool] = False

    def shape(self, row: RowShape) -> RowShape:
        """The shape of a row afterwards. Raises Unfit for rows that it cannot work on."""
        return row

    def __call__(self, rows: Rows, draws: Draws) -> Rows:
        """The rows transformed, float32; they are the transform's own to change. What is drawn for
        a row depends on its place in the batch alone, not on sizes."""
        numbers = draws.uniform(len(rows), self.draws_each)
        if isinstance(rows, list):
            return [self.apply(row[None], own[None])[0] for row, own in zip(rows, numbers)]
        return self.apply(rows, numbers)

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Rows of one size [N, …] transformed, by `numbers` [N, draws_each] in [0, 1)."""
        raise NotImplementedError


class ImageTransform(Transform):
    """Base of the rows for images [C, H, W]."""

    def shape(self, row: RowShape) -> RowShape:
        return image_shape(row)


def image_shape(row: RowShape) -> RowShape:
    if len(row) != 3:
        raise Unfit(f"images have 3 axes, C, H and W, and these rows have {len(row)}")
    return row


def check_fits(what: str, size: tuple[int, int], sides: RowShape) -> None:
    """Raises Unfit where a window [height, width] is larger than an image."""
    if any(side is not None and side < want for want, side in zip(size, sides)):
        have = " x ".join("?" if side is None else str(side) for side in sides)
        raise Unfit(f"{what} of {size[0]} x {size[1]} does not fit into {have}",
                    f"`-> resize({max(size)})` before it makes images large enough")


def chosen(numbers: np.ndarray, p: float) -> np.ndarray:
    """Which rows an event of probability `p` happens to, by numbers [N] in [0, 1)."""
    return numbers < np.float32(p)


def between(numbers: np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers in [0, 1) as float64 numbers from `low` to `high`."""
    return low + (high - low) * numbers.astype(np.float64)


def columns(numbers: np.ndarray, rank: int = 4) -> np.ndarray:
    """A number for each row as float32 [N, 1, …], to meet batches of that rank."""
    return numbers.astype(np.float32).reshape(-1, *(1,) * (rank - 1))


# ------------------------------------------------------------------ kinds


def interval(each: Callable[[Setting], float]) -> Callable[[Setting], tuple[float, float]]:
    """A converter to two numbers of which the first is not above the second."""

    def convert(setting: Setting) -> tuple[float, float]:
        low, high = list_of(each, count=2)(setting)
        if low > high:
            raise BadArgument
        return low, high

    return convert


def around(
    middle: float, least: float, most: float = inf
) -> Callable[[Setting], tuple[float, float]]:
    """A converter to an interval between `least` and `most`: itself, or how far it reaches to both
    sides of `middle`, where it ends at `least`."""

    def convert(setting: Setting) -> tuple[float, float]:
        if isinstance(setting, tuple):
            return interval(real(least, most))(setting)
        reach = real(0, most - middle)(setting)
        return max(middle - reach, least), middle + reach

    return convert


def pixels(low: int) -> Callable[[Setting], int]:
    def convert(setting: Setting) -> int:
        if (count := whole(low)(setting)) > MOST_PIXELS:
            raise BadArgument
        return count

    return convert


def _size(setting: Setting) -> Any:
    if isinstance(setting, tuple):
        return list_of(pixels(1), count=2)(setting)
    return pixels(1)(setting)


def sides_of(size: Size) -> tuple[int, int]:
    """Height and width: a single number is both."""
    return size if isinstance(size, tuple) else (size, size)


Size = Annotated[
    int | tuple[int, int],
    Kind(f"a whole number of pixels from 1 to {MOST_PIXELS:,}, or two: [height, width]", _size),
]
Pixels = Annotated[int, Kind(f"a whole number of pixels from 1 to {MOST_PIXELS:,}", pixels(1))]
Border = Annotated[int, Kind(f"a whole number of pixels from 0 to {MOST_PIXELS:,}", pixels(0))]
Parts = Annotated[
    tuple[float, float],
    Kind("two numbers from 0.0001 to 1, the lower one first", interval(real(1e-4, 1))),
]
Ratios = Annotated[
    tuple[float, float],
    Kind("two numbers from 0.01 to 100, the lower one first", interval(real(0.01, 100))),
]
