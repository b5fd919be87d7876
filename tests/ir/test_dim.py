"""Sizes: canonical, exact for every value of what is free, and honest about what they prove."""

from __future__ import annotations

from contextlib import suppress
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdsl.ir.dim import (
    Expr, TooComplex, bounds, ceil_div, floor_div, free_symbols, size, substitute, symbol,
)
from netdsl.ir.proof import at_most, equal

B, H, W = symbol("B"), symbol("H"), symbol("W")

CANONICAL = {  # two ways to write one size, and how it is shown
    "commutes": (B * H, H * B, "B * H"),
    "distributes": ((B + 1) * (B - 1), B * B - 1, "B ** 2 - 1"),
    "cancels": (B + H - B, H, "H"), "is known": (B - B + 3, 3, "3"), "is nothing": (0 * B, 0, "0"),
    "quotients of wholes": ((4 * B + 6) // 2, 2 * B + 3, "2 * B + 3"),
    "quotients split": ((2 * B + 5) // 2, B + 2, "B + 2"),
    "quotients of quotients": (B // 2 // 3, B // 6, "B // 6"),
    "halves of halves": ((((H + 1) // 2) + 1) // 2, (H + 3) // 4, "(H + 3) // 4"),
    "windows": ((H + 2 - 3) // 2 + 1, (H + 1) // 2, "(H + 1) // 2"),
    "by itself": (B // B, 1, "1"), "by a factor": (B * H // B, H, "H"),
    "by a product": ((6 * B * H) // (2 * H), 3 * B, "3 * B"),
    "rounded up": (ceil_div(B, 2), (B + 1) // 2, "(B + 1) // 2"),
    "the rest": (B % 2 + 2 * (B // 2), B, "B"), "negative": (-B + 1, 1 - B, "-B + 1"),
    "minus a product": (1 - 2 * B * H, -2 * H * B + 1, "-2 * B * H + 1"),
    "powers": (B**3, B * B * B, "B ** 3"), "a power of a quotient": ((B // 2) ** 2,
                                                                    (B // 2) * (B // 2),
                                                                    "(B // 2) ** 2"),
    "no size by one": (8 // B, floor_div(8, B), "8 // B"),
    "by a shared factor": ((2 * B + 1) // 4, B // 2, "B // 2"),
    "by shared names": ((6 * B * H) // (4 * B), (3 * H) // 2, "(H // 2) + H"),
    "by a name in part": ((B * H + 3) // H, B + 3 // H, "(3 // H) + B"),
    "by less than nothing": (B // -2, (-B) // 2, "(B // 2) - B"),
}


@pytest.mark.parametrize("one, other, shown", CANONICAL.values(), ids=CANONICAL)
def test_equal_sizes_are_equal_objects(one, other, shown):
    assert one == other and hash(one) == hash(other) and str(one) == shown
    assert isinstance(one, int) or free_symbols(one) <= {"B", "H"}


QUESTIONS = {
    "itself": (B, B, True), "one more": (B + 1, B, False), "a number": (B, 3, None),
    "nothing": (B, 0, False), "less than the least": (B + 2, 2, False), "two names": (B, H, None),
    "a half": (B // 2, B, False), "halves": (ceil_div(B, 2), B // 2, None),
    "rounded up": (ceil_div(H, 2), (H - 1) // 2 + 1, True),
    "even and odd": (2 * B, 2 * H + 1, False), "two quotients": (B // 2, H // 2, None),
    "a remainder": (B % 3, 3, False), "quotient and rest": (H * (B // H) + B % H, B, True),
    "a known quotient": (B * (8 // B), 9, False), "no quotient": (B // 2 + B + 2, 2, False),
    "beyond floats": (B * 10**400, 10**400 - 1, False), "huge": (B * 10**400, H, None),
}


@pytest.mark.parametrize("a, b, answer", QUESTIONS.values(), ids=QUESTIONS)
def test_equality_is_proved_refuted_or_open(a, b, answer):
    assert equal(a, b) is answer and equal(b, a) is answer


ORDERS = {
    "one more": (B, B + 1, True), "a multiple": (B, 2 * B, True), "the least": (1, B, True),
    "below the least": (B, 0, False), "a number": (B, 8, None), "a half": (B // 2, B, True),
    "two halves": (2 * (B // 2), B, True), "halves up": (B, 2 * ceil_div(B, 2), True),
    "a third and a half": (B // 3, B // 2, True), "two more": (B // 2 + 2, B, None),
    "a remainder": (B % 5, 4, True), "by a name": (B % H, H - 1, True), "no less": (0, B % H, True),
    "a part": (H * (B // H), B, True), "windows": (2 * ((H - 3) // 2) + 3, H, True),
    "a side": (B, B * H, True), "two sides": (B + H - 1, B * H, True),
    "beyond": (B * H + 1, B, False),
    "nested": (((3 * H + 1) // 4 + B) // 7 * 7, (3 * H + 1) // 4 + B, True),
    "of differences": ((H - W) // 2 * 2, H - W, True),
    "a sum": (B + H, 1, False), "two of them": (2, B + H, True),
}


@pytest.mark.parametrize("a, b, answer", ORDERS.values(), ids=ORDERS)
def test_order_is_proved_refuted_or_open(a, b, answer):
    assert at_most(a, b) is answer


@st.composite
def sizes(draw, depth: int = 3):
    """A size, and a function from the values of what is free to its value."""
    if depth == 0 or draw(st.booleans()):
        leaf = draw(st.one_of(st.integers(-6, 6), st.sampled_from([B, H, W])))
        return leaf, lambda at: at[str(leaf)] if isinstance(leaf, Expr) else leaf
    (a, value_a), (b, value_b) = draw(sizes(depth - 1)), draw(sizes(depth - 1))
    match draw(st.sampled_from("+-*/%")):
        case "+":
            return a + b, lambda at: value_a(at) + value_b(at)
        case "-":
            return a - b, lambda at: value_a(at) - value_b(at)
        case "*":
            return a * b, lambda at: value_a(at) * value_b(at)
        case "/":
            return (a, value_a) if b == 0 else (
                floor_div(a, b), lambda at: value_a(at) // value_b(at))
    return (a, value_a) if b == 0 else (a % b, lambda at: value_a(at) % value_b(at))


values = st.fixed_dictionaries({name: st.integers(1, 12) for name in "BHW"})


def evaluated(formula, at) -> tuple[int, int] | None:
    """The value found by substitution and the one expected; None after a division by 0."""
    made, expected = formula
    try:
        return substitute(made, at), expected(at)
    except ZeroDivisionError:
        return None


@given(sizes(), values)
def test_arithmetic_is_exact(formula, at):
    found = evaluated(formula, at)
    assert found is None or found[0] == found[1]


@given(sizes(), sizes(), values)
def test_answers_hold_for_every_size(one, other, at):
    left, right = evaluated(one, at), evaluated(other, at)
    if left is None or right is None:
        return
    assert equal(one[0], other[0]) in (None, left[0] == right[0])
    assert at_most(one[0], other[0]) in (None, left[0] <= right[0])
    low, high = bounds(one[0])
    assert low <= left[0] <= high


@given(sizes(), values, values)
def test_substitution_in_two_parts_is_one(formula, at, later):
    made, _ = formula
    first = {"B": at["B"]}
    rest = {"H": later["H"], "W": later["W"]}
    with suppress(ZeroDivisionError):
        assert substitute(substitute(made, first), rest) == substitute(made, {**first, **rest})


def test_bounds_of_what_is_free():
    assert bounds(B) == (1, inf) and bounds(-B) == (-inf, -1) and bounds(3) == (3, 3)
    assert bounds(B - H) == (-inf, inf) and bounds(B // 2) == (0, inf)
    assert bounds(B * 10**400)[0] == 10**400
    assert bounds((B - H) * 10**400 + 10**500) == (-inf, inf)


def test_shapes_have_a_size():
    assert size(()) == 1 and size((2, 3)) == 6 and size((B, 3, B)) == 3 * B * B


def test_division_by_nothing():
    for a in (3, B):
        with pytest.raises(ZeroDivisionError):
            floor_div(a, 0)


GROWTH = {
    "squares": lambda n: n * n + n, "quotients": lambda n: (n * n + 1) // 2,
    "deep quotients": lambda n: (3 * n + 1) // 2, "coefficients": lambda n: n * 2**500,
    "powers": lambda n: n * n, "divisors": lambda n: 10**9 // (n + 1),
}


@pytest.mark.parametrize("step", GROWTH.values(), ids=GROWTH)
def test_growth_ends(step):
    n = B
    with pytest.raises(TooComplex):
        for _ in range(1000):
            n = step(n)
