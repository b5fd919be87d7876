"""The table itself: every op that a forward graph may hold has a row, and the row is our kernel."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from examples import EXAMPLES, Example  # noqa: E402
from netdsl.ir.op import Absent  # noqa: E402
from netdsl.ops import OPS, update  # noqa: E402
from torch_table import TABLE  # noqa: E402

BACKWARD = {name for name in OPS if name.endswith("_gradient")}
UPDATES = {op.name for op in update.OPS}
FORWARD = [example for example in EXAMPLES if example.op in TABLE]


def test_every_forward_op_has_a_row():
    assert set(TABLE) == set(OPS) - BACKWARD - UPDATES


def operands(example: Example, leaf: bool) -> list:
    tensors = []
    for array in example.arrays("f64", 2):
        if array is None or array.dtype == np.uint64:
            tensors.append(array)
        else:
            tensor = torch.from_numpy(np.array(array))
            tensors.append(tensor.requires_grad_(leaf and tensor.is_floating_point()))
    return tensors


@pytest.mark.parametrize("example", FORWARD, ids=str)
def test_rows_are_our_kernels(example):
    op, attrs = OPS[example.op], example.attributes("f64", 2)
    expected = op.kernel(attrs, *example.arrays("f64", 2))
    found = TABLE[example.op](attrs, *operands(example, leaf=False))
    for ours, theirs in zip(
        expected if isinstance(expected, tuple) else (expected,),
        found if isinstance(found, tuple) else (found,), strict=True,
    ):
        theirs = np.asarray(theirs)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(theirs, ours, 1e-12, 1e-12)


@pytest.mark.parametrize(
    "example", [e for e in FORWARD if not isinstance(OPS[e.op].gradient, Absent)], ids=str
)
def test_gradients_are_autograds(example):
    from checks import gradients_of  # the graph of one op and its backward graph, in float64

    ours = gradients_of(OPS[example.op], example)
    tensors = operands(example, leaf=True)
    made = TABLE[example.op](example.attributes("f64", 2), *tensors)
    made = made if isinstance(made, tuple) else (made,)
    assert ours is not None and made
