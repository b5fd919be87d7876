"""The facet `rows`: wherever an op says that rows lie along these axes, working on a share of the
rows gives that share of the result. Every way in which rows may lie in the operands is tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import gcd

import numpy as np
import pytest

from checks import assert_close, reference
from examples import EXAMPLES
from netdsl.ir.op import Op, Rows
from netdsl.ir.tensor import TensorType
from netdsl.ops import OPS
from operands import Example, example

BATCH = 4
SEED_AND_STEP = (7, 3)


def claims(op: Op, attrs, arrays, types) -> Iterator[tuple[tuple, tuple]]:
    """Each way to lay rows along axes of the operands to which the op has an answer."""
    places = [(None,) if x is None else (None, *range(x.ndim)) for x in arrays]
    for axes in product(*places):
        told = op.rows(attrs, types, axes)
        if told is not Rows.MEET:
            yield axes, told


def check_rows(op: Op, example: Example) -> int:
    """How many claims were held against the kernel; those over one row say nothing."""
    arrays, attrs = example.arrays("f64", BATCH), example.attributes("f64", BATCH)
    arrays = [np.array(SEED_AND_STEP, np.uint64) if name == "key" else x
              for name, x in zip(op.inputs if arrays else (), arrays)] if "key" in op.inputs \
        else arrays
    types = tuple(None if x is None else dtype_of(example, i, x) for i, x in enumerate(arrays))
    whole, held = reference(op, attrs, arrays), 0
    for axes, told in claims(op, attrs, arrays, types):
        told = told if isinstance(told, tuple) else (told,) * len(whole)
        if Rows.BY_PASS in told:
            continue
        held += check_claim(op, attrs, arrays, axes, whole, told)
    return held


def dtype_of(example: Example, i: int, x: np.ndarray) -> TensorType:
    return TensorType(example.inputs[i].type("f64").dtype, x.shape)


def check_claim(op: Op, attrs, arrays, axes, whole, told) -> bool:
    """One claim, for as many shares as there can be rows."""
    if all(axis is None for axis in axes):
        for y, axis in zip(whole, told):
            np.testing.assert_array_equal(y, np.take(y, [0] * y.shape[axis], axis), str(op))
        return True
    sizes = [x.shape[axis] for x, axis in (*zip(arrays, axes), *zip(whole, told))
             if axis is not None]
    count = gcd(*sizes)
    for number in range(count if count > 1 else 0):
        own = [share(x, axis, number, count) for x, axis in zip(arrays, axes)]
        if "key" in op.inputs:
            own[op.inputs.index("key")] = np.array([*SEED_AND_STEP, number], np.uint64)
        got = reference(op, resized(attrs, told[0], count), own)
        for y, part, axis in zip(whole, got, told):
            assert_close(part, share(y, axis, number, count), 1e-12, f"{op}: rows along {axes}")
    return count > 1


def share(x: np.ndarray | None, axis: int | None, number: int, count: int) -> np.ndarray | None:
    return x if x is None or axis is None else np.split(x, count, axis)[number]


def resized(attrs, axis: int | None, count: int):
    """The attributes with a share of `shape`, if there is one."""
    if axis is None or not hasattr(attrs, "shape"):
        return attrs
    shape = list(attrs.shape)
    shape[axis] //= count
    return replace(attrs, shape=tuple(shape))


WITH_ROWS = [name for name, op in OPS.items() if op.rows is not None]
BY_PASS = ["batch_norm"]


@pytest.mark.parametrize("name", WITH_ROWS)
def test_a_share_of_the_rows_gives_that_share(name):
    examples = [each for each in EXAMPLES if each.op == name]
    held = sum(check_rows(OPS[name], each) for each in examples)
    assert held > 0 or name in BY_PASS, "no example shows what the facet claims"


def test_only_batch_norm_makes_something_of_the_rows_at_hand():
    found = set()
    for case in (each for each in EXAMPLES if OPS[each.op].rows is not None):
        arrays, attrs = case.arrays("f64", BATCH), case.attributes("f64", BATCH)
        types = tuple(None if x is None else dtype_of(case, i, x) for i, x in enumerate(arrays))
        told = [answer for _, answer in claims(OPS[case.op], attrs, arrays, types)]
        if any(isinstance(answer, tuple) and Rows.BY_PASS in answer for answer in told):
            found.add(case.op)
    assert found == set(BY_PASS)


WRONG = {
    "softmax along the rows": (example("softmax", (4, 3), axis=0), lambda a, xs, axes: axes[0]),
    "a sum over the rows": (example("sum", (4, 4), axes=(0,)), lambda a, xs, axes: 0),
    "an operand that differs from row to row": (example("add", (4, 3), (4, 3)),
                                                lambda a, xs, axes: axes[0] or 0),
    "a product that sums over the rows": (example("matmul", (4, 4), (4, 4)),
                                          lambda a, xs, axes: 0),
    "another axis": (example("transpose", (4, 6), axes=(1, 0)), lambda a, xs, axes: axes[0]),
    "a numbered row": (example("arange", count=4), lambda a, xs, axes: 0),
}


@pytest.mark.parametrize(("case", "facet"), WRONG.values(), ids=WRONG)
def test_a_wrong_claim_is_caught(case, facet):
    def only_of_rows(a, inputs, axes):
        asked = not axes or any(axis is not None for axis in axes)
        return facet(a, inputs, axes) if asked else Rows.MEET

    with pytest.raises((AssertionError, ValueError)):
        check_rows(replace(OPS[case.op], rows=only_of_rows), case)


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.stepwise], ids=str)
def test_a_stepwise_reduction_may_be_made_in_steps(op):
    x = example(op.name, (2, 3, 4)).arrays("f64", BATCH)[0]
    for axes in ((0, 1), (0, 2), (0, 1, 2)):
        for keep in (False, True):
            whole, = reference(op, op.attrs(axes=axes, keep=keep), [x])
            first = reference(op, op.attrs(axes=axes[1:], keep=True), [x])
            then, = reference(op, op.attrs(axes=axes, keep=keep), first)
            assert_close(then, whole, 1e-12, f"{op} over {axes}")


# ------------------------------------------------------------------ what the answers are

F = TensorType("f32", ())
ANSWERS = [
    ("linear", {}, ((4, 5, 3), (2, 3), (2,)), (0, None, None), 0),
    ("linear", {}, ((4, 5, 3), (2, 3), (2,)), (1, None, None), 1),
    ("linear", {}, ((4, 3), (2, 3), (2,)), (1, None, None), Rows.MEET),
    ("matmul", {}, ((4, 3), (3, 4)), (0, None), 0),
    ("matmul", {}, ((4, 3), (3, 4)), (0, 1), Rows.MEET),  # similarities of all pairs
    ("matmul", {}, ((4, 2, 3), (4, 3, 5)), (0, 0), 0),
    ("matmul", {}, ((2, 3), (3, 4)), (None, 1), 1),
    ("add", {}, ((4, 3), ()), (0, None), 0),
    ("add", {}, ((4, 3), (1, 3)), (0, None), 0),
    ("add", {}, ((4, 3), (4, 3)), (0, None), Rows.MEET),
    ("mean", {"axes": (1, 2)}, ((4, 3, 2),), (0,), 0),
    ("mean", {"axes": (0, 1)}, ((4, 3, 2),), (2,), 0),
    ("mean", {"axes": (0,)}, ((4, 3),), (0,), Rows.MEET),
    ("reshape", {"shape": (20, 3)}, ((4, 5, 3),), (0,), 0),
    ("reshape", {"shape": (4, 15)}, ((4, 5, 3),), (0,), 0),
    ("reshape", {"shape": (2, 4, 3)}, ((2, 12),), (1,), 1),
    ("reshape", {"shape": (1, 4, 3)}, ((4, 3),), (0,), 1),
    ("expand", {"shape": (4, 5, 3), "axes": (0,)}, ((1, 3),), (None,), 0),
    ("gather", {"axis": 0}, ((9, 3), (4, 5)), (None, 0), 0),
    ("gather", {"axis": 1}, ((4, 9, 3), (4, 5)), (0, 0), 0),
    ("gather", {"axis": 0}, ((9, 3), (4, 5)), (0, None), Rows.MEET),
    ("concat", {"axis": 0}, ((4, 3), (4, 3)), (0, 0), Rows.MEET),
    ("concat", {"axis": 1}, ((4, 3), (4, 3)), (0, 0), 0),
    ("cross_entropy", {"axis": 1}, ((4, 9, 5), (4, 5)), (0, 0), 0),
    ("cross_entropy", {"axis": 1}, ((4, 9, 5), (4, 5)), (2, 1), 1),
]


@pytest.mark.parametrize(("name", "attrs", "shapes", "axes", "answer"), ANSWERS)
def test_answers(name, attrs, shapes, axes, answer):
    op = OPS[name]
    inputs = tuple(TensorType("f32", shape) for shape in shapes)
    assert op.rows(op.attrs(**attrs), inputs, axes) == answer
