"""Arithmetic of the compile time: exact, and the same for known sizes and free ones."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import body, errors_of, graph_of, outputs
from netdsl.build import numbers
from netdsl.build.values import Ratio
from netdsl.ir.dim import Expr, substitute, symbol

SIZES = {  # an expression, and the size of the axis that it declares
    "100 * (1 - 0.9)": "10", "0.1 + 0.2 + 0.7": "1", "1e3 / 2": "500", "2 ** 10": "1024",
    "2 ** -1 * 6": "3", "7 // 2": "3", "-7 // 2 + 8": "4", "-7 % 3": "2", "7.5 // 2": "3",
    "-3 ** 2 + 10": "1", "(-3) ** 2": "9", "2 ** 3 ** 2": "512", "ceil(7 / 2)": "4",
    "floor(7 / 2)": "3", "ceil(-0.5) + 1": "1", "max(1, 5, 3)": "5", "min([2][0], 7)": "2",
    "sqrt(16)": "4", "sqrt(6.25) * 2": "5", "abs(-3)": "3", "len([1, 2, 3])": "3",
    "len(0..10 ** 9)": "1000000000", "if 1 < 2 then 4 else 5": "4", "0": "0",
    "B": "B", "2 * B + 1": "2 * B + 1", "B * (B + 1)": "B ** 2 + B", "B // 2": "B // 2",
    "(2 * B) // 2": "B", "(4 * B + 6) / 2": "2 * B + 3", "B * B / B": "B", "B * 0.5 * 2": "B",
    "ceil(B / 2)": "(B + 1) // 2", "floor(B / 2)": "B // 2", "B % 2": "-2 * (B // 2) + B",
    "B // 2 // 3": "B // 6", "B ** 2": "B ** 2", "(B + 1) * (B - 1) + 1": "B ** 2",
    "B - B + 3": "3", "B / 2 + B / 2": "B", "B / 3 * 6 - 1": "2 * B - 1", "3 * B / 2 // 1":
    "(B // 2) + B", "(B / 2 + 1 / 2) * 2": "B + 1", "ceil(B / 2 + 0.5)": "(B // 2) + 1",
}


@pytest.mark.parametrize("expression", SIZES)
def test_sizes(expression):
    text = body(f"output y = expand(x[0..1, _], [{expression}, 3])")
    assert outputs(graph_of(text))["y"] == f"f32[{SIZES[expression]}, 3]"


CONDITIONS = {
    "1 < 2": True, "2 <= 1": False, "0.1 + 0.2 == 0.3": True, "1 == 1.0": True, "1 != 2": True,
    "true == true": True, "true == 1": False, "relu == relu": True, "relu == tanh": False,
    "none == none": True, "x == none": False, "x != none": True, "3 == none": False,
    "\"a\" == \"a\"": True, "[1, 2] == [1, 2]": True, "[1] == [1, 2]": False, "[B] == [B]": True,
    "(1, B) != (1, B + 1)": True, "f32 == f32": True, "B == \"a\"": False, "B == none": False,
    "B > 0": True, "B + 1 > B": True, "2 * B == B + B": True, "B == B + 1": False,
    "B / 2 < B": True,
    "B // 2 <= B": True, "1 < 2 and not 2 < 1": True, "B == 1 / 2": False, "B * 1.5 > 1": True,
    "sqrt(2) < 1.5": True, "B == 2": None, "B / 2 == B / 2": True, "B >= 0.5": True,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(condition):
    text = body(f"output y = if {condition} then x[_, 0..1] else x[_, 0..2]")
    if CONDITIONS[condition] is None:
        assert errors_of(text) == ["N215"]
        return
    width = outputs(graph_of(text))["y"]
    assert width == ("f32[B, 1]" if CONDITIONS[condition] else "f32[B, 2]")


# ------------------------------------------------------------------ against exact arithmetic

B, H = symbol("B"), symbol("H")
leaves = st.one_of(
    st.integers(-20, 20), st.fractions(-5, 5, max_denominator=6), st.sampled_from([B, H])
)


def value_of(x, sizes) -> Fraction:
    """The number that a size is once free dimensions are known."""
    if isinstance(x, Ratio):
        return value_of(x.numerator, sizes) / value_of(x.denominator, sizes)
    return Fraction(substitute(x, sizes) if isinstance(x, Expr) else x)


EXACT = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "//": lambda a, b: a // b, "%": lambda a, b: a % b,
}


@st.composite
def formulas(draw, depth: int = 3):
    """A size as the compiler works it out, and a function that gives its value."""
    if depth == 0 or draw(st.booleans()):
        leaf = draw(leaves)
        return leaf, lambda sizes: value_of(leaf, sizes)
    operator = draw(st.sampled_from(list(EXACT)))
    a, value_a = draw(formulas(depth - 1))
    b, value_b = draw(formulas(depth - 1))
    try:
        made = numbers.arithmetic(operator, a, b)
    except numbers.Unworkable:
        return a, value_a
    return made, lambda sizes: EXACT[operator](value_a(sizes), value_b(sizes))


sizes = st.fixed_dictionaries({"B": st.integers(1, 9), "H": st.integers(1, 40)})


@given(formulas(), sizes)
def test_arithmetic_on_free_dimensions_is_exact(formula, sizes):
    made, expected = formula
    try:
        wanted = expected(sizes)
        found = value_of(made, sizes)
    except ZeroDivisionError:
        return
    assert found == wanted


@given(formulas(), formulas(), sizes, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_comparisons_that_are_settled_hold_for_every_size(one, other, sizes, operator):
    (a, value_a), (b, value_b) = one, other
    answer = numbers.compare(operator, a, b)
    if answer is None:
        return
    try:
        left, right = value_a(sizes), value_b(sizes)
    except ZeroDivisionError:
        return
    holds = {"==": left == right, "!=": left != right, "<": left < right, "<=": left <= right,
             ">": left > right, ">=": left >= right}
    assert answer is holds[operator]
