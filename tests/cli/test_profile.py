"""`netdsl profile --gradients`: the table, JSON, pictures."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import netdsl as package
from netdsl.cli.progress import Lines
from netdsl.training.gradients import GradientLog, GradientProfile
from netdsl.training.trainer import Trainer
from netdsl.views.gradients import bars, gradients_text

from commands import DIGITS, MODELS, netdsl, netdsl_json

SHORT = ("--gradients", "-D", "width=4", "--epochs", 2)
LAYERS = ["conv1", "bn1", "conv2", "bn2", "fc1", "fc2"]


def test_a_row_for_each_layer():
    result = netdsl("profile", DIGITS, *SHORT)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "Digits:" and "training on 1,442 examples for 2 epochs" in lines[1]
    firsts = [line.split()[0] for line in lines if line.strip()]
    assert [word for word in firsts if word in LAYERS] == LAYERS
    assert "over 90 steps, before clipping" in result.stdout


def test_json_has_the_norms_that_training_measures():
    told, = netdsl_json("profile", DIGITS, *SHORT, "--seed", 3)["profiles"]
    assert list(told["norms"]) == LAYERS and told["steps"] == list(range(1, 91))
    assert len(told["losses"]["ce"]) == 90 and len(told["epochs"]) == 2
    model = package.load(DIGITS, width=4)
    trainer = Trainer(model.graph, model.program, seed=3, norms=True, steps_per_epoch=45, epochs=2)
    from netdsl.data.batches import Batches
    from netdsl.data.digits import Digits

    batch = next(iter(Batches(model.graph, Digits().load(), 32, seed=3).training(0)))
    losses = trainer.step(batch)
    assert losses["ce"] == told["losses"]["ce"][0]
    assert {path: norms[0] for path, norms in told["norms"].items()} == trainer.norms


def test_networks_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.net", "b.net"):
        (tmp_path / name).write_text((MODELS / "digits.net").read_text("utf-8"), "utf-8")
    told = netdsl_json("profile", "a.net", "b.net:Digits", "b.net", "--gradients", "-D", "width=4",
                       "--epochs", 1, "--set", "batch=700")["profiles"]
    assert [each["model"] for each in told] == ["a.net:Digits", "b.net:Digits", "b.net:Digits (2)"]


def test_watching_changes_nothing():
    model = package.load(DIGITS, width=4)
    plain = model.train(epochs=1)
    log = GradientLog("Digits", Lines())
    watched = model.train(epochs=1, norms=True, observer=log)
    assert all(np.array_equal(plain.weights[n], watched.weights[n]) for n in plain.weights)
    assert log.profile.norms.shape == (45, 6)


def profile(layers: str = "a.x a.y b", steps: int = 500) -> GradientProfile:
    norms = np.outer(np.linspace(1, 2, steps), [3.0, 4.0, 0.0])
    return GradientProfile("Net", tuple(layers.split()), norms, {"l": np.ones(steps)}, ())


def test_layers_are_counted_with_the_one_above():
    whole = profile().to_depth(1)
    assert whole.layers == ("a", "b")
    np.testing.assert_allclose(whole.norms[0], [5, 0])


def test_many_steps_become_stages():
    told = profile().to_json()
    assert len(told["steps"]) == 200 and told["steps"][-1] == 500
    np.testing.assert_allclose(told["norms"]["a.x"][0], 3 * np.linspace(1, 2, 500)[:2].mean())
    assert profile(steps=1).stages() == [(0, 1)]


def test_bars_are_logarithmic_and_zero_has_none():
    assert bars([0.01, 0.1, 1.0, 0.0], 0.01, 1.0) == "▁▅█ "
    assert bars([1.0, 1.0], 1.0, 1.0) == "▁▁"
    assert "0.000" in gradients_text(profile(), width=60)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="pictures need matplotlib")
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_of_two_networks(tmp_path, suffix):
    path = tmp_path / f"gradients{suffix}"
    result = netdsl("profile", DIGITS, MODELS / "digits.net", "--epochs", 1, "--gradients",
                    "-D", "width=4", "--plot", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"drawn in {path}" in result.stdout and path.stat().st_size > 5000
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("arguments", "code", "text"), [
    (("--plot", "p.bmp"), 1, "N859"), (("--plot", "p"), 1, "N859"),
    (("--plot", "absent/p.svg"), 1, "N603"), (("--epochs", "0"), 2, "--epochs"),
])
def test_what_is_refused_before_anything_is_trained(arguments, code, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    result = netdsl("profile", DIGITS, "--gradients", *arguments)
    assert result.exit_code == code and text in result.output and "epochs of" not in result.output


def test_without_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = netdsl("profile", DIGITS, "--gradients", "--plot", tmp_path / "p.png")
    assert result.exit_code == 1 and "netdsl[plots]" in result.output


def test_a_file_without_a_training_program(tmp_path):
    file = tmp_path / "m.net"
    file.write_text("model M { input x: f32[B, 2]  output y = x -> f: linear{2} }")
    result = netdsl("profile", file, "--gradients")
    assert result.exit_code == 1 and "no training program" in result.output
