"""Every op against every universal check, over the table of smallest examples."""

from __future__ import annotations

import pytest

from checks import check_cost, check_engine, check_gradient, check_onnx, check_shape, plainly
from examples import EXAMPLES
from netdsl.backends.numpy import emitter
from netdsl.ir.op import Absent
from netdsl.ops import OPS

over_examples = pytest.mark.parametrize("example", EXAMPLES, ids=str)
PRODUCTS = ("matmul", "linear", "lstm", *(
    f"{conv}{part}" for conv in ("conv", "local_conv")
    for part in ("", "_input_gradient", "_weight_gradient")
))


def test_every_op_has_an_example():
    assert {example.op for example in EXAMPLES} == set(OPS)


@over_examples
@pytest.mark.parametrize("float_dtype", ("f32", "f64"))
def test_shape_rule_tells_what_the_kernel_gives(example, float_dtype):
    check_shape(OPS[example.op], example, float_dtype)


@over_examples
def test_gradient_equals_differences(example):
    check_gradient(OPS[example.op], example)


@over_examples
def test_engine_equals_kernel(example):
    check_engine(OPS[example.op], example)


@over_examples
@pytest.mark.parametrize("float_dtype", ("f16", "f64"))
def test_engine_equals_kernel_in_other_precisions(example, float_dtype):
    check_engine(OPS[example.op], example, float_dtype, wirings=[plainly])


@over_examples
def test_engine_in_two_lanes_equals_kernel(example, monkeypatch):
    monkeypatch.setattr(emitter, "WORTH_SPLITTING", 0)
    check_engine(OPS[example.op], example, wirings=[plainly], lanes=2)


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if not isinstance(OPS[e.op].onnx, Absent)], ids=str
)
def test_onnx_runtime_equals_kernel(example):
    check_onnx(OPS[example.op], example)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.op in PRODUCTS], ids=str)
def test_cost_rule_counts_multiplications(example):
    check_cost(OPS[example.op], example)
