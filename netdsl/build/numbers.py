"""Compile-time arithmetic: exact numbers, sizes with free dimensions, lists, and the functions
`len`, `reverse`, `floor`, `ceil`, `min`, `max`, `sqrt`, `log`, `exp`, `abs` on them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from netdsl.build.values import Ratio, described
from netdsl.ir.assumptions import differ, known
from netdsl.ir.dim import Dim, Expr, bounds, ceil_div, floor_div
from netdsl.layers.arguments import is_number

MOST_BITS = 4096  # of an exact number: beyond it nothing is a size, and 9 ** 9 ** 9 never ends
MOST_ITEMS = 10_000  # of a list; a range may be longer
TOO_LARGE = "the number is too large"
TOO_LONG = f"a list has at most {MOST_ITEMS:,} items"


class Unworkable(Exception):
    """The operation does not exist for these values; the message says why."""


def is_size(value: Any) -> bool:
    """Whether arithmetic on sizes takes it: a number, a free dimension or a ratio of them."""
    return is_number(value) or isinstance(value, (Expr, Ratio))


def parts_of(value: Any) -> int:
    """How many parts of sizes arithmetic on a value goes through; 0 for known numbers."""
    if isinstance(value, Ratio):
        return parts_of(value.numerator) + parts_of(value.denominator)
    return value.parts if isinstance(value, Expr) else 0


def settled(value: Any) -> Any:
    """An exact number in its plainest form: 10/1 is 10. Raises Unworkable beyond the bound."""
    if isinstance(value, Fraction):
        if value.numerator.bit_length() + value.denominator.bit_length() > MOST_BITS:
            raise Unworkable(TOO_LARGE)
        return value.numerator if value.denominator == 1 else value
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise Unworkable(TOO_LARGE)
    return value


def powered(a: Any, b: Any) -> Any:
    if isinstance(b, int) and not isinstance(a, float):
        size = max(Fraction(a).numerator.bit_length(), Fraction(a).denominator.bit_length())
        if abs(b) * size > MOST_BITS:
            raise Unworkable(TOO_LARGE)
        return Fraction(a) ** b
    return float(a) ** float(b)


def divided(a: Any, b: Any) -> Any:
    inexact = isinstance(a, float) or isinstance(b, float)
    return a / b if inexact else Fraction(a) / Fraction(b)


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divided,
    "//": lambda a, b: math.floor(divided(a, b)),
    "%": lambda a, b: a - math.floor(divided(a, b)) * b,
    "**": powered,
}


def arithmetic(operator: str, a: Any, b: Any) -> Any:
    """a operator b. Raises Unworkable with the reason where that has no meaning."""
    if operator == "+" and isinstance(a, list) and isinstance(b, list):
        if len(a) + len(b) > MOST_ITEMS:
            raise Unworkable(TOO_LONG)
        return a + b
    for side in (a, b):
        if not is_size(side):
            raise Unworkable(f"{described(side)} is not a number")
    try:
        if not is_number(a) or not is_number(b):
            return _of_sizes(operator, a, b)
        result = OPERATORS[operator](a, b)
        if isinstance(result, complex) or (isinstance(result, float) and not math.isfinite(result)):
            raise Unworkable("the result is not a finite real number")
        return settled(result)
    except ZeroDivisionError:
        raise Unworkable("division by zero") from None
    except OverflowError:
        raise Unworkable(TOO_LARGE) from None


# ------------------------------------------------------------------ sizes that are not known yet


def _of_sizes(operator: str, a: Any, b: Any) -> Any:
    """Arithmetic where free dimensions take part: on fractions of sizes."""
    if operator == "**":
        if isinstance(a, Expr) and isinstance(b, int) and 0 <= b <= 8:
            return a**b
        raise Unworkable("free dimensions have whole powers up to 8 only")
    if isinstance(a, float) or isinstance(b, float):
        raise Unworkable("a free dimension takes exact numbers")
    (a, a_of), (b, b_of) = _quotient(a), _quotient(b)
    if operator in ("/", "//", "%") and not differ(b, 0):
        raise ZeroDivisionError
    match operator:
        case "+":
            return ratio(a * b_of + b * a_of, a_of * b_of)
        case "-":
            return ratio(a * b_of - b * a_of, a_of * b_of)
        case "*":
            return ratio(a * b, a_of * b_of)
        case "/":
            return ratio(a * b_of, a_of * b)
    whole = floor_div(a * b_of, a_of * b)
    return whole if operator == "//" else ratio(a * b_of - whole * b * a_of, a_of * b_of)


def ratio(a: Dim, b: Dim) -> Any:
    """a / b in its plainest form: a size where it is one, for every value of what is free or by
    what is asserted of it."""
    if isinstance(a, int) and isinstance(b, int):
        return settled(Fraction(a, b))
    whole = floor_div(a, b)
    if whole * b == a or known(whole * b, "==", a):
        return whole
    if isinstance(b, int):
        shared = math.gcd(b, *(factor for _, factor in a.terms)) * (-1 if b < 0 else 1)
        a, b = floor_div(a, shared), settled(b // shared)
    return Ratio(a, b)


def _quotient(x: Any) -> tuple[Dim, Dim]:
    """Numerator and denominator, as sizes."""
    if isinstance(x, (Ratio, Fraction)):
        return x.numerator, x.denominator
    return x.as_integer_ratio() if isinstance(x, float) else (x, 1)


# ------------------------------------------------------------------ comparison


def compare(operator: str, a: Any, b: Any) -> bool | None:
    """Whether a operator b; None when it depends on free dimensions of which too little is known.
    Raises Unworkable."""
    if operator in ("==", "!="):
        same = _same(a, b)
        return same if operator == "==" or same is None else not same
    for side in (a, b):
        if not is_size(side):
            raise Unworkable(f"{described(side)} has no order")
    if is_number(a) and is_number(b):
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]
    sides = open_sides(a, b)
    return None if sides is None else known(sides[0], operator, sides[1])


def open_sides(a: Any, b: Any) -> tuple[Dim, Dim] | None:
    """Two sizes, at least one of them free, brought to one denominator of at least 1; None for
    others."""
    if not is_size(a) or not is_size(b) or (is_number(a) and is_number(b)):
        return None
    (a, a_of), (b, b_of) = _quotient(a), _quotient(b)
    if bounds(a_of)[0] <= 0 or bounds(b_of)[0] <= 0:
        return None
    return a * b_of, b * a_of


def _same(a: Any, b: Any) -> bool | None:
    """Whether two compile-time values are equal. Values of two kinds never are."""
    if is_size(a) and is_size(b):
        (a, a_of), (b, b_of) = _quotient(a), _quotient(b)
        return known(a * b_of, "==", b * a_of)
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        if any(isinstance(item, (list, tuple)) for item in (*a, *b)):
            raise Unworkable("lists of lists do not compare")
        if len(a) != len(b):
            return False
        answers = {_same(x, y) for x, y in zip(a, b)}
        return False if False in answers else None if None in answers else True
    return a == b


# ------------------------------------------------------------------ functions


def to_floor(x: Any) -> Dim:
    return _rounded(x, floor_div, math.floor)


def to_ceil(x: Any) -> Dim:
    return _rounded(x, ceil_div, math.ceil)


def _rounded(x: Any, divide: Callable[[Dim, Dim], Dim], of_float: Callable[[float], int]) -> Dim:
    if not is_size(x):
        raise Unworkable(f"{described(x)} is not a number")
    return of_float(x) if isinstance(x, float) else divide(*_quotient(x))


def square_root(x: Any) -> Any:
    """Exact where it can be: sqrt(16) is 4."""
    if not is_number(x) or x < 0:
        raise Unworkable(f"{described(x)} has no real square root here")
    if isinstance(x, float):
        return math.sqrt(x)
    exact = Fraction(math.isqrt(Fraction(x).numerator), math.isqrt(Fraction(x).denominator))
    return settled(exact) if exact * exact == x else math.sqrt(x)


def real(function: Callable[[float], float]) -> Callable[[Any], float]:
    def apply(x: Any) -> float:
        if not is_number(x):
            raise Unworkable(f"{described(x)} is not a number")
        try:
            return function(float(x))
        except (ValueError, OverflowError):
            raise Unworkable(f"{described(x)} is outside of what it takes") from None

    return apply


def length(xs: Any) -> int:
    if not isinstance(xs, (list, tuple, range)):
        raise Unworkable(f"{described(xs)} is not a list")
    return len(xs)


def reverse(xs: Any) -> list:
    if length(xs) > MOST_ITEMS:
        raise Unworkable(TOO_LONG)
    return list(reversed(xs))


def extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*xs: Any) -> Any:
        if not xs or not all(map(is_number, xs)):
            raise Unworkable("it takes known numbers")
        return function(xs)

    return apply


def absolute(x: Any) -> Any:
    if not is_number(x):
        raise Unworkable(f"{described(x)} has no known sign")
    return abs(x)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "len": length,
    "reverse": reverse,
    "floor": to_floor,
    "ceil": to_ceil,
    "min": extreme(min),
    "max": extreme(max),
    "sqrt": square_root,
    "log": real(math.log),
    "exp": real(math.exp),
    "abs": absolute,
}
PAGES = {  # those that no tensor function of the same name explains
    "len": "len(xs)\n\nHow many items a list, tuple or range has: len([3, 4, 6]) is 3.",
    "reverse": "reverse(xs)\n\nThe items of a list or range, last first.",
    "floor": "floor(x)\n\nThe largest whole number that is at most x; of sizes too: floor(H / 2).",
    "ceil": "ceil(x)\n\nThe smallest whole number that is at least x; of sizes too: ceil(H / 2).",
}


def call(name: str, arguments: list[Any]) -> Any:
    """FUNCTIONS[name] of the arguments. Raises Unworkable."""
    function = FUNCTIONS[name]
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        raise Unworkable(f"it does not take {len(arguments)} arguments") from None
    try:
        return settled(function(*arguments))
    except OverflowError:
        raise Unworkable(TOO_LARGE) from None
