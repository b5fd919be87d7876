"""Weights against a network: what is said about those that do not fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from netdsl.diagnostics import Refused, Report
from netdsl.ir.graph import Initializer, Value, Variable
from netdsl.ir.tensor import TensorType
from netdsl.weights import fit, not_finite


def network(**shapes: tuple[int, ...]) -> dict[str, Variable]:
    return {
        name: Variable(name, "parameter", Value(TensorType("f32", shape)), Initializer("zeros"))
        for name, shape in shapes.items()
    }


def zeros(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def said(weights: Mapping[str, np.ndarray], expected: Mapping[str, Variable], **how) -> str:
    with pytest.raises(Refused) as refused:
        fit(weights, expected, "w.npz", **how)
    return str(refused.value)


def test_weights_that_fit_come_in_the_networks_order():
    expected = network(a=(2,), b=(3, 1), c=())
    weights = zeros(c=(), b=(3, 1), a=(2,))
    fitted = fit(weights, expected, "w.npz")
    assert list(fitted) == ["a", "b", "c"]
    assert all(fitted[name] is weights[name] for name in fitted)


def test_missing_and_unexpected_names_explain_each_other():
    assert said(zeros(fc_wieght=(2,), spare=(1,)), network(fc_weight=(2,), stem=(3,))) == """\
error[N606]: `w.npz` lacks 2 tensors of the network
  = `fc_weight`: f32[2]; it holds `fc_wieght`
  = `stem`: f32[3]
  = try: give the file and the `-D` options that they were trained with
error[N607]: `w.npz` holds 2 tensors that the network does not have
  = `fc_wieght`: f32[2]; did you mean `fc_weight`?
  = `spare`: f32[1]
  = try: give the file and the `-D` options that they were trained with"""


def test_a_checkpoint_in_the_place_of_weights():
    weights = {**zeros(a=(2,)), "@step": np.zeros((), np.int64), "a@mean": np.zeros(2)}
    assert said(weights, network(a=(2,))) == """\
error[N607]: `w.npz` holds 2 tensors that the network does not have
  = `@step`: i64[]
  = `a@mean`: f64[2]
  = try: this is the checkpoint of a training: take `weights.safetensors` or `best.safetensors` \
beside it"""


def test_shapes_and_dtypes_are_told_apart():
    weights = {"a": np.zeros((3, 2), np.float32), "b": np.zeros(2), "c": np.zeros(1, np.uint8)}
    assert said(weights, network(a=(2, 3), b=(2,), c=(4,))) == """\
error[N608]: 2 tensors of `w.npz` have another shape than the network's
  = `a`: the network has f32[2, 3], here it is f32[3, 2]
  = `c`: the network has f32[4], here it is uint8[1]
  = try: give the file and the `-D` options that they were trained with
error[N608]: 2 tensors of `w.npz` have another dtype than the network's
  = `b`: the network has f32[2], here it is f64[2]
  = `c`: the network has f32[4], here it is uint8[1]
  = try: load the weights in Python, `astype` them and save them again"""


def test_long_lists_are_cut_and_counted():
    expected = network(**{f"layer_{i}": (1,) for i in range(1000)})
    text = said({}, expected)
    assert text.count("f32[1]") == 8 and "\n  = … and 992 more\n" in text


def test_more_than_is_expected_may_be_allowed():
    weights = zeros(a=(1,), other=(1,))
    assert list(fit(weights, network(a=(1,)), "w.npz", exact=False)) == ["a"]
    assert "N606" in said(weights, network(b=(1,)), exact=False)


def test_names_are_shown_on_one_line_each():
    names = {"a\nerror[N999]: \x1b[31m": (1,), "x" * 10_000: (1,), "имя": (2,)}
    text = said(zeros(**names), {})
    assert len(text.split("\n")) == 5 and len(text) < 450
    assert "\x1b" not in text and "`имя`: f32[2]" in text


def test_weights_that_are_not_finite_are_a_warning():
    weights = zeros(fine=(2,), broken=(2, 2), worse=(3,))
    weights["broken"][0, 0], weights["worse"][:] = np.inf, np.nan
    report = Report()
    fitted = fit(weights, network(fine=(2,), broken=(2, 2), worse=(3,)), "w.npz", report=report)
    assert list(fitted) == list(weights) and not report.has_errors
    warning, = report.problems
    assert warning == not_finite(weights, "w.npz")
    diagnostic = warning.describe()
    assert (diagnostic.code, diagnostic.severity) == ("N609", "warning")
    assert diagnostic.notes == ("`broken`: 1 of 4", "`worse`: 3 of 3")
    assert not_finite(zeros(fine=(2,)), "w.npz") is None
    assert not_finite({"count": np.array([2**63 - 1])}, "w.npz") is None


def test_a_file_of_many_long_names_is_answered_quickly():
    weights = zeros(**{f"{'x' * 150}{i}": (1,) for i in range(20_000)})
    text = said(weights, network(**{f"{'x' * 150}_{i}": (1,) for i in range(20_000)}))
    assert "and 19992 more" in text
