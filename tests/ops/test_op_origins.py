"""What an op says of where an axis has its size from is so: sizes taken over are equal, and
formulas come to the size."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import pytest

from examples import EXAMPLES, Example
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Op, Origin
from netdsl.ir.tensor import TensorType
from netdsl.ops import OPS

TOLD = [example for example in EXAMPLES if OPS[example.op].origin is not None]


def check_origins(op: Op, example: Example, batch: int) -> None:
    attrs = example.attributes("f32", batch)
    inputs = [None if a is None else Value(a.type("f32", batch)) for a in example.inputs]
    for output in Emitter().outputs(op, inputs, attrs):
        for axis, size in enumerate(output.shape):
            origin = op.origin(attrs, tuple(inputs), output, axis)
            if origin is None:
                continue
            if origin.formula:
                assert eval(origin.formula, {"ceil": ceil}) == size, origin
            elif origin.operand is not None:
                assert inputs[origin.operand].shape[origin.axis] == size, origin


@pytest.mark.parametrize("example", TOLD, ids=str)
def test_what_is_told_is_so(example):
    check_origins(OPS[example.op], example, batch=3)


@pytest.mark.parametrize("told", [Origin(0, 0), Origin(None, formula="2 + 2 - 5")], ids=str)
def test_an_op_that_tells_wrongly_is_found(told):
    wrong = replace(OPS["transpose"], origin=lambda a, inputs, y, axis: told)
    with pytest.raises(AssertionError):
        for example in TOLD:
            if example.op == "transpose":
                check_origins(wrong, example, batch=3)


WINDOWS = {  # (size, k, stride, pad before and after, dilation, ceil): the formula
    (28, 3, 1, (0, 0), 1, False): "(28 + 2 * 0 - 3) // 1 + 1",
    (28, 5, 2, (1, 2), 1, False): "(28 + 1 + 2 - 5) // 2 + 1",
    (28, 3, 2, (0, 0), 2, False): "(28 + 2 * 0 - 2 * (3 - 1) - 1) // 2 + 1",
    (28, 3, 2, (0, 0), 1, True): "ceil((28 + 2 * 0 - 3) / 2) + 1",
    (5, 2, 3, (1, 1), 1, True): "ceil((5 + 2 * 1 - 2) / 3)",
    (28, 3, 1, (1, 1), 1, False): "",
}


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_arithmetic_of_windows(window):
    size, k, stride, pads, dilation, rounds_up = window
    op = OPS["max_pool"]
    attrs = op.attrs(kernel=(k,), stride=(stride,), pads=(pads,), dilation=(dilation,),
                     ceil=rounds_up)
    x = Value(TensorType("f32", (3, 4, size)))
    y, = Emitter().outputs(op, (x,), attrs)
    origin = op.origin(attrs, (x,), y, 2)
    assert (origin.operand, origin.axis, origin.name) == (0, 2, "length")
    assert origin.formula == WINDOWS[window]
    assert not origin.formula or eval(origin.formula, {"ceil": ceil}) == y.shape[2]
