"""What the arguments of a word may be: kinds that check a compile-time value and bring it into the
form that operations take. Annotate a word's attribute with one of the types at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Annotated, Any

from netdsl.ir.dim import Expr
from netdsl.ir.graph import Initializer, Value


class BadArgument(Exception):
    """A value that an argument cannot take; the message says what is wrong with it, or with the
    `item` of that number in a list."""

    item: int | None = None


class UnfitArgument(BadArgument):
    """The value of `argument` does not fit the operands, as is found when the word is applied."""

    def __init__(self, argument: str, message: str, suggestion: str | None = None):
        self.argument, self.suggestion = argument, suggestion
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class DType:
    """A dtype as a value of the language: `f32`, `i64`."""

    name: str


@dataclass(frozen=True, slots=True)
class SamePadding:
    """`same` or `same_lower`: the padding with which windows leave ⌈size / stride⌉ places. Where it
    is odd, the larger half lies behind, or before with `same_lower`."""

    name: str


SAME = {name: SamePadding(name) for name in ("same", "same_lower")}


@dataclass(frozen=True, slots=True)
class Hole:
    """A `?` in a shape: the size that the compiler finds, to be told at `place`."""

    place: Any = None

    def __str__(self) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class Kind:
    """`expected` finishes the sentence "… must be". `convert` raises BadArgument."""

    expected: str
    convert: Callable[[Any], Any]

    def __call__(self, value: Any) -> Any:
        return self.convert(value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, Fraction, float)) and not isinstance(value, bool)


def whole(value: Any) -> int:
    if isinstance(value, Expr):
        raise BadArgument("is free: it is known when data arrive")
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadArgument("is not a whole number")
    return value


def at_least(least: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if whole(value) < least:
            raise BadArgument(f"is less than {least}")
        return value

    return convert


def real(value: Any) -> float:
    if not is_number(value):
        raise BadArgument("is not a number")
    try:
        return float(value)
    except OverflowError:
        raise BadArgument("is too large") from None


def not_negative(value: Any) -> float:
    if real(value) < 0:
        raise BadArgument("is negative")
    return float(value)


def above_zero(value: Any) -> float:
    if not_negative(value) == 0:
        raise BadArgument("is not above 0")
    return float(value)


def share(value: Any) -> float:
    if not_negative(value) > 1:
        raise BadArgument("is more than 1")
    return float(value)


def or_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadArgument("is neither true nor false")
    return value


LARGEST = 2**31  # a stride beyond it reaches further than any axis


def per_axis(least: int) -> Callable[[Any], int | tuple[int, ...]]:
    def each(value: Any) -> int:
        if at_least(least)(value) >= LARGEST:
            raise BadArgument("is too large")
        return value

    def convert(value: Any) -> int | tuple[int, ...]:
        return tuple(map(each, value)) if isinstance(value, (tuple, list)) else each(value)

    return convert


def paddings(value: Any) -> int | tuple | SamePadding:
    each = at_least(0)
    if isinstance(value, SamePadding):
        return value
    if not isinstance(value, (tuple, list)):
        return each(value)
    pads = []
    for entry in value:
        if isinstance(entry, (tuple, list)):
            if len(entry) != 2:
                raise BadArgument("needs two entries for an axis: before and after")
            pads.append(tuple(map(each, entry)))
        else:
            pads.append((each(entry), each(entry)))
    return tuple(pads)


def taps(value: Any) -> tuple[float, ...]:
    """Weights along a window, which are divided by their sum."""
    if not isinstance(value, (tuple, list)):
        raise BadArgument("is not a list")
    numbers = numbers_or_tensor(value)
    total = sum(numbers)
    if not numbers or total == 0:
        raise BadArgument("has the sum 0")
    if not isfinite(total):
        raise BadArgument("has a sum that is too large")
    return numbers


def whole_axes(value: Any) -> tuple[int, ...]:
    return tuple(map(whole, value)) if isinstance(value, (tuple, list)) else (whole(value),)


def dims(value: Any) -> tuple:
    if any(isinstance(entry, Hole) for entry in open_dims(value)):
        raise BadArgument("has a `?`, which `reshape` alone fills")
    return tuple(value)


def open_dims(value: Any) -> tuple:
    if not isinstance(value, (tuple, list)):
        raise BadArgument("is not a shape such as [B, 16]")
    for i, entry in enumerate(value):
        if isinstance(entry, (Expr, Hole)):
            continue
        try:
            is_negative = whole(entry) < 0
        except BadArgument as reason:
            reason.item = i
            raise
        if is_negative:
            raise BadArgument("has a negative size; in `reshape` a `?` stands for what is left")
    return tuple(value)


def dtype_name(value: Any) -> str:
    if not isinstance(value, DType):
        raise BadArgument("is not a dtype")
    return value.name


def initializer(value: Any) -> Initializer:
    if not isinstance(value, Initializer):
        raise BadArgument("is not an initialiser such as `normal(std = 0.02)`")
    return value


def length(least: int) -> Callable[[Any], Any]:
    """A converter to a size that may be free."""
    known = at_least(least)

    def convert(value: Any) -> Any:
        return value if isinstance(value, Expr) else known(value)

    return convert


def number(value: Any) -> int | Fraction | float:
    if not is_number(value):
        raise BadArgument("is not a number")
    real(value)
    return value


def whole_range(value: Any) -> range:
    if not isinstance(value, range):
        raise BadArgument("is not a range such as 0..10")
    if not value:
        raise BadArgument("holds no number")
    if not -(2**63) <= value.start < value.stop <= 2**63:
        raise BadArgument("goes beyond 64 bits")
    return value


def order(value: Any) -> float:
    """Of a norm."""
    if value == "inf":
        return float(value)
    if real(value) < 0:
        raise BadArgument("is negative")
    return float(value)


def numbers_or_tensor(value: Any) -> Value | tuple[float, ...]:
    if isinstance(value, Value):
        return value
    if not isinstance(value, (tuple, list)):
        raise BadArgument("is neither a list of numbers nor a tensor")
    found = []
    for i, item in enumerate(value):
        try:
            found.append(real(item))
        except BadArgument as reason:
            reason.item = i
            raise
    return tuple(found)


def number_or_more(value: Any) -> Any:
    return real(value) if is_number(value) else numbers_or_tensor(value)


def reduction(*names: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        name = "none" if value is None else getattr(value, "name", value)
        if name not in names:
            raise BadArgument(f"is none of {', '.join(names)}")
        return name

    return convert


Count = Annotated[int, Kind("a whole number of at least 1", at_least(1))]
Whole = Annotated[int, Kind("a whole number", whole)]
Real = Annotated[float, Kind("a number", real)]
NotNegative = Annotated[float, Kind("a number of at least 0", not_negative)]
AboveZero = Annotated[float, Kind("a number above 0", above_zero)]
Share = Annotated[float, Kind("a number between 0 and 1", share)]
RealOrNone = Annotated[Any, Kind("a number", or_none(real))]
WholeOrNone = Annotated[Any, Kind("a whole number", or_none(whole))]
Flag = Annotated[bool, Kind("true or false", flag)]
Axis = Annotated[int, Kind("an axis", whole)]
Axes = Annotated[tuple, Kind("an axis or a list of them", whole_axes)]
Sizes = Annotated[Any, Kind("a whole number of at least 1, or one for each axis", per_axis(1))]
Extra = Annotated[Any, Kind("a whole number, or one for each axis", per_axis(0))]
Paddings = Annotated[
    Any, Kind("a whole number, one for each axis, pairs (before, after), or `same`", paddings)
]
Taps = Annotated[tuple, Kind("a list of numbers whose sum is not 0", taps)]
Length = Annotated[Any, Kind("a size of at least 1", length(1))]
Size = Annotated[Any, Kind("a size of at least 0", length(0))]
Number = Annotated[Any, Kind("a number", number)]
WholeRange = Annotated[range, Kind("a range of whole numbers such as 0..10", whole_range)]
Shape = Annotated[tuple, Kind("a shape such as [B, 16]", dims)]
OpenShape = Annotated[tuple, Kind("a shape such as [B, 16] or [B, ?]", open_dims)]
DTypeName = Annotated[str, Kind("a dtype such as f32", dtype_name)]
Init = Annotated[Initializer, Kind("an initialiser such as `zeros()`", initializer)]
Order = Annotated[float, Kind('a number of at least 0, or "inf"', order)]
Numbers = Annotated[Any, Kind("a list of numbers or a tensor", or_none(numbers_or_tensor))]
Weights = Annotated[
    Any, Kind("a number, a list of numbers or a tensor", or_none(number_or_more))
]
Reduction = Annotated[str, Kind("mean, sum or none", reduction("mean", "sum", "none"))]
ReductionOrBatch = Annotated[
    str, Kind("mean, batchmean, sum or none", reduction("mean", "batchmean", "sum", "none"))
]

BY_TYPE = {int: Whole, float: Real, bool: Flag}  # for attributes of ops that are words
