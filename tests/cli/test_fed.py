"""A network fed from draws, a schedule and a fact of the data, from `train` to `predict`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import netdsl, netdsl_json

NOISY = """
net 1
model Noisy {
    input image: f32[B, 1, 8, 8]
    input noise: f32[B, 1, 8, 8]
    input strength: f32[]
    input often: f32[10]
    input label: i64[B] in 0..10
    output logits = image + strength * noise -> flatten -> fc: linear{10}
    loss ce = cross_entropy(logits + reshape(log(often), [1, 10]), label)
    metric top1 = accuracy(logits, label)
}
train Noisy {
    data digits(take = 200)
    feed noise = normal(std = 2)
    feed strength = linear(1, 0.5)
    feed often = data.frequencies
    batch 20  epochs 2
    minimize ce with adam(lr = 1e-2)
}
"""


@pytest.fixture(scope="module")
def noisy(tmp_path_factory) -> Path:
    """A file whose weights lie in `run` beside it."""
    file = tmp_path_factory.mktemp("noisy") / "noisy.net"
    file.write_text(NOISY, "utf-8")
    result = netdsl("train", file, "--out", file.parent / "run", "--seed", 5)
    assert (result.exit_code, result.stderr) == (0, "")
    return file


@pytest.mark.parametrize("runtime", ["numpy", "onnx"])
def test_evaluation_is_that_of_the_last_step_of_training(noisy, runtime):
    """The seed of the training is no matter to what is drawn for measuring."""
    weights = noisy.parent / "run" / "weights.safetensors"
    measured = netdsl_json("evaluate", noisy, "--weights", weights, "--runtime", runtime)
    history = (noisy.parent / "run" / "history.json").read_text("utf-8")
    last = json.loads(history)["epochs"][-1]["validation"]
    assert measured["losses"]["ce"] == pytest.approx(last["ce"], rel=1e-5)
    assert measured["metrics"]["top1"] == last["top1"]


def test_prediction_takes_them_from_the_file(noisy, tmp_path):
    """What is drawn or scheduled in training is an input like any other."""
    weights = noisy.parent / "run" / "weights.safetensors"
    np.savez(tmp_path / "rows.npz", image=np.zeros((3, 1, 8, 8)), noise=np.ones((3, 1, 8, 8)),
             strength=np.float32(0.5))
    np.savez(tmp_path / "less.npz", image=np.zeros((3, 1, 8, 8)))
    made = netdsl_json("predict", noisy, "--weights", weights, tmp_path / "rows.npz")
    assert len(made["predictions"]) == 3
    refused = netdsl("predict", noisy, "--weights", weights, tmp_path / "less.npz")
    assert refused.exit_code == 1 and "it has no array `noise`" in refused.stderr
