"""The table itself: every op that a forward graph may hold has a row, and the row is our kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from checks import gradients_by_graph
from examples import EXAMPLES
from netdsl.ir.op import Absent
from netdsl.ops import OPS, update
from operands import Example
from torch_table import TABLE

BACKWARD = {name for name in OPS if name.endswith("_gradient")}
BACKWARD -= {"conv_input_gradient"}  # forward it is a transposed convolution
UPDATES = {op.name for op in update.OPS}
FORWARD = [
    example for example in EXAMPLES if example.op in TABLE and not (
        # PyTorch pads both sides alike where a last window may overhang
        example.attrs.get("ceil") and any(a != b for a, b in example.attrs["pads"])
    )
]


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
def test_our_gradients_are_autograds(example):
    op, attrs, arrays = OPS[example.op], example.attributes("f64", 2), example.arrays("f64", 2)
    tensors = operands(example, leaf=True)
    made = TABLE[example.op](attrs, *tensors)
    made = made if isinstance(made, tuple) else (made,)
    generator = np.random.default_rng(1)
    seeds = {
        i: generator.standard_normal(made[i].shape) for i in example.through
        if made[i].dtype == torch.float64
    }
    trained = [i for i, x in enumerate(arrays) if x is not None and x.dtype == np.float64]
    if not seeds or not trained:
        return
    found = gradients_by_graph(op, attrs, arrays, seeds, {})
    total = sum((torch.from_numpy(seed) * made[i]).sum() for i, seed in seeds.items())
    if total.requires_grad:
        total.backward()
    for i in trained:
        grad = tensors[i].grad
        expected = np.zeros(arrays[i].shape) if grad is None else grad.numpy()
        np.testing.assert_allclose(found[f"operand {i}"], expected, 1e-10, 1e-10)
