"""The Python face: what it takes, what it refuses, how it shows."""

from __future__ import annotations

import numpy as np
import pytest

import netdsl

TEXT = """
model Small { input x: f32[B, 3]
 output y = x -> fc: linear{2} }
model Two { input x: f32[B, 3]
 y = x -> fc: linear{2}
 output y
 loss a = mean(y ** 2)
 loss b = mean(y) }
model Last { input x: f32[B, 3]
 output y = relu(x) }
"""
X = np.ones((4, 3), np.float32)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "small.net"
    file.write_text(TEXT, "utf-8")
    return file


def test_public_names_are_listed():
    assert set(netdsl.__all__) <= set(dir(netdsl))


def test_a_model_by_file_and_name(path):
    assert netdsl.load(path).name == "Last"
    assert netdsl.load(f"{path}:Small").name == "Small"
    assert netdsl.load(path, "Two").name == "Two"
    with pytest.raises(netdsl.Refused, match="Smal"):
        netdsl.load(f"{path}:Smal")


def test_one_name_is_fetched_as_a_list_of_one(path):
    model = netdsl.load(path, "Two")
    weights = model.initialize()
    one, several = (model.run({"x": X}, weights, fetch=fetch) for fetch in ("y", ["y"]))
    assert one.keys() == {"y"} and np.array_equal(one["y"], several["y"])


def test_gradients_of_several_losses_are_those_of_their_sum(path):
    model = netdsl.load(path, "Two")
    weights = model.initialize()
    (_, a), (_, b) = (model.gradients({"x": X}, weights, loss) for loss in ("a", ["b"]))
    losses, both = model.gradients({"x": X}, weights, ["a", "b"])
    assert losses.keys() == {"a", "b"}
    for name, gradient in both.items():
        assert np.allclose(gradient, a[name] + b[name], atol=1e-6)
    with pytest.raises(KeyError, match="no loss 'c'; there are a, b"):
        model.gradients({"x": X}, weights, ["a", "c"])
    with pytest.raises(ValueError, match="say which loss: a, b"):
        model.gradients({"x": X}, weights)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1", None])
def test_seeds_that_are_none(path, seed):
    model = netdsl.load(path, "Small")
    with pytest.raises(ValueError, match="a seed is an integer from 0"):
        model.initialize(seed)
    with pytest.raises(ValueError, match="a seed is an integer from 0"):
        model.run({"x": X}, model.initialize(), seed=seed)


def test_the_ends_of_the_seeds(path):
    model = netdsl.load(path, "Small")
    low, high = model.initialize(np.int64(0)), model.initialize(2**63 - 1)
    assert not np.array_equal(low["fc.weight"], high["fc.weight"])


def test_a_summary_shows_in_one_line(path):
    summary = netdsl.load(path, "Small").summary()
    assert repr(summary) == str(summary) == "<Summary of Small: 8 parameters, 6 MACs>"
