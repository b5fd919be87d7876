"""Whole trainings: going on where one stopped, to the bit; what is saved; what stops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_networks import blobs, perceptron, program, recipe

from netdsl.data.dataset import Dataset
from netdsl.diagnostics import Refused
from netdsl.ir.program import Flow, Minimize, Stage
from netdsl.training.history import Observer
from netdsl.training.loop import fit
from netdsl.training.judge import judge_of
from netdsl.weights import load_weights, read_metadata, save_weights

FILES = {"weights.safetensors", "best.safetensors", "checkpoint.safetensors", "history.json"}
RATE = Flow(recipe("warmup", 1), (Stage(recipe("cosine", 0.02)),))
PROGRAM = program(Minimize("ce", (), recipe("adam", RATE)), epochs=4)


class Watch(Observer):
    """Writes down what it is told; stops as with Ctrl-C at a batch of an epoch."""

    def __init__(self, stop: tuple[int, int] | None = None):
        self.told, self.stop = [], stop

    def on_start(self, plan):
        self.told.append((plan.epochs, plan.done, plan.steps_per_epoch))

    def on_batch(self, epoch, batch, losses):
        if (epoch, batch) == self.stop:
            raise KeyboardInterrupt

    def on_epoch(self, epoch, is_best):
        self.told.append(epoch.number)

    def on_end(self, history):
        self.told.append("end")


def trained(out: Path | None = None, told=PROGRAM, **options):
    return fit(perceptron(), told, dataset=blobs(), out=out, **options)


def figures(history):
    """What must agree: everything but the seconds."""
    return [replace(epoch, seconds=0) for epoch in history.epochs], history.best, history.judge


def same_files(a: Path, b: Path) -> bool:
    return all(
        load_weights(a / name).keys() == load_weights(b / name).keys()
        and all(np.array_equal(array, load_weights(b / name)[key])
                for key, array in load_weights(a / name).items())
        for name in FILES if name.endswith(".safetensors")
    )


def test_what_is_told_and_saved(tmp_path):
    watch = Watch()
    history = trained(tmp_path / "run", observer=watch)
    assert watch.told == [(4, 0, 6), 1, 2, 3, 4, "end"]
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    saved = json.loads((tmp_path / "run" / "history.json").read_text())
    assert saved["version"] == 1 and saved == history.to_json()
    last = load_weights(tmp_path / "run" / "weights.safetensors")
    assert all(np.array_equal(last[name], array) for name, array in history.weights.items())
    about = read_metadata(tmp_path / "run" / "best.safetensors")
    assert about["epoch"] == str(history.best) and json.loads(about["classes"]) == ["a", "b", "c"]


def test_figures_of_an_epoch():
    history = trained()
    first, last = history.epochs[0], history.epochs[-1]
    assert first.losses.keys() == {"ce"}
    assert first.validation.keys() == {"ce", "side", "top1"}
    assert last.losses["ce"] < first.losses["ce"]
    assert first.rates == {"lr": pytest.approx(0.02)}  # the end of the warmup
    best = max(epoch.validation["top1"] for epoch in history.epochs)
    assert history.epochs[history.best - 1].validation["top1"] == best


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    a, b, c = (trained(seed=seed) for seed in (3, 3, 4))
    assert figures(a) == figures(b) != figures(c)
    assert all(np.array_equal(a.weights[name], b.weights[name]) for name in a.weights)


def test_resume_after_fewer_epochs_is_bit_identical(tmp_path):
    constant = program(Minimize("ce", (), recipe("adam", 0.01)))
    whole = trained(tmp_path / "whole", constant, epochs=4)
    trained(tmp_path / "parts", constant, epochs=2)
    watch = Watch()
    parts = trained(tmp_path / "parts", constant, epochs=4, resume=True, observer=watch)
    assert watch.told == [(4, 2, 6), 3, 4, "end"]
    assert figures(whole) == figures(parts)
    assert same_files(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("stop", [(3, 1), (3, 6), (2, 4)])
def test_resume_after_ctrl_c_is_bit_identical(tmp_path, stop):
    whole = trained(tmp_path / "whole")
    with pytest.raises(Refused) as refused:
        trained(tmp_path / "parts", observer=Watch(stop))
    problem, = refused.value.problems
    assert (problem.code, problem.epochs) == ("N462", stop[0] - 1)
    assert f"--out {tmp_path / 'parts'} --resume" in problem.describe().suggestion
    parts = trained(tmp_path / "parts", resume=True)
    assert figures(whole) == figures(parts)
    assert same_files(tmp_path / "whole", tmp_path / "parts")


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from test_loop import Watch, trained

class Killer(Watch):
    def on_batch(self, epoch, batch, losses):
        if (epoch, batch) == (3, 3):
            os.kill(os.getpid(), signal.SIGKILL)

trained({out!r}, observer=Killer())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_resume_after_kill_9_is_bit_identical(tmp_path):
    whole = trained(tmp_path / "whole")
    script = KILLED.format(here=str(Path(__file__).parent), out=str(tmp_path / "parts"))
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    parts = trained(tmp_path / "parts", resume=True)
    assert figures(whole) == figures(parts)
    assert same_files(tmp_path / "whole", tmp_path / "parts")


def test_killed_between_two_files_of_one_epoch(tmp_path, monkeypatch):
    """Weights of epoch 3 are there, its checkpoint is not: epoch 3 is made again."""
    from netdsl.training import checkpoints

    whole = trained(tmp_path / "whole")
    saved = checkpoints.save_weights

    def failing(path, weights, metadata):
        if path.name == "checkpoint.safetensors" and metadata["epoch"] == "3":
            raise KeyboardInterrupt
        saved(path, weights, metadata)

    monkeypatch.setattr(checkpoints, "save_weights", failing)
    with pytest.raises(Refused):
        trained(tmp_path / "parts")
    monkeypatch.undo()
    parts = trained(tmp_path / "parts", resume=True)
    assert figures(whole) == figures(parts)
    assert same_files(tmp_path / "whole", tmp_path / "parts")


def test_resuming_a_finished_training_changes_nothing(tmp_path):
    whole = trained(tmp_path)
    again = trained(tmp_path, resume=True)
    assert figures(whole) == figures(again)
    assert all(np.array_equal(whole.weights[name], again.weights[name]) for name in whole.weights)


@pytest.mark.parametrize(("options", "what"), [
    ({"seed": 1}, "seed: 0 then, 1 now"),
    ({"batch": 4}, "batch: 8 then, 4 now"),
    ({"told": program(Minimize("ce", (), recipe("adam", 0.01)), epochs=4)},
     "step 0: minimize ce over everything with adam(warmup(1) -> cosine(0.02)) then, "
     "minimize ce over everything with adam(0.01) now"),
])
def test_resuming_another_program_is_refused(tmp_path, options, what):
    trained(tmp_path, epochs=1)
    with pytest.raises(Refused) as refused:
        trained(tmp_path, resume=True, **options)
    problem, = refused.value.problems
    assert (problem.code, problem.describe().notes) == ("N464", (what,))
    assert f"`--init {tmp_path / 'weights.safetensors'}`" in problem.describe().suggestion


def test_what_a_killed_training_left_half_written_is_removed(tmp_path):
    left = tmp_path / ".checkpoint.safetensors.0123456789abcdef.tmp"
    others = [tmp_path / name for name in (
        ".checkpoint.safetensors.0123.tmp", ".model.onnx.0123456789abcdef.tmp",
        "checkpoint.safetensors.0123456789abcdef.tmp", ".checkpoint.safetensors.0123456789abcdef",
    )]
    for path in (left, *others):
        path.write_text("")
    trained(tmp_path, epochs=1)
    assert not left.exists() and all(path.exists() for path in others)


def test_nothing_to_resume(tmp_path):
    for out in (None, tmp_path, tmp_path / "absent"):
        with pytest.raises(Refused) as refused:
            trained(out, resume=True)
        assert [problem.code for problem in refused.value.problems] == ["N463"]


@pytest.mark.parametrize("metadata", [
    {}, {"identity": "{}", "history": "{"}, {"identity": "[]", "history": "{}"},
    {"identity": "{}", "history": '{"epochs": [{}], "judge": null, "best": null}'},
])
def test_a_file_that_is_no_checkpoint(tmp_path, metadata):
    save_weights(tmp_path / "checkpoint.safetensors", {"x": np.zeros(1)}, metadata)
    with pytest.raises(Refused) as refused:
        trained(tmp_path, resume=True)
    assert [problem.code for problem in refused.value.problems] == ["N465"]


def test_a_cut_off_checkpoint_is_refused(tmp_path):
    trained(tmp_path, epochs=1)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Refused) as refused:
        trained(tmp_path, resume=True)
    assert all(problem.code.startswith("N6") for problem in refused.value.problems)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_epochs_before(tmp_path):
    data = blobs()

    class Poison(Observer):
        def on_epoch(self, epoch, is_best):
            data.train["x"].values[3] = np.nan

    with pytest.raises(Refused) as refused:
        fit(perceptron(), PROGRAM, dataset=data, out=tmp_path, observer=Poison())
    problem, = refused.value.problems
    assert (problem.code, problem.loss) == ("N461", "ce")
    assert problem.where.endswith("of epoch 2") and problem.culprit.what == "the input `x`"
    assert read_metadata(tmp_path / "checkpoint.safetensors")["epoch"] == "1"


def test_a_hopeless_learning_rate_is_told():
    wild = program(Minimize("ce", (), recipe("sgd", 10**30)), epochs=9)
    with pytest.raises(Refused) as refused:
        trained(told=wild)
    assert [problem.code for problem in refused.value.problems] == ["N461"]


@pytest.mark.parametrize(("dataset", "batch", "code"), [
    (None, 8, "N451"), (blobs(), 51, "N507"), (blobs(features=5), 8, "N446"),
    (blobs(), 0, "N433"),
])
def test_data_and_program_that_do_not_fit(dataset, batch, code):
    with pytest.raises(Refused) as refused:
        fit(perceptron(), PROGRAM, dataset=dataset, batch=batch)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_without_validation_rows():
    data = Dataset.of({name: field.values for name, field in blobs().train.items()})
    history = fit(perceptron(), PROGRAM, dataset=data)
    assert history.best is None and history.epochs[0].validation == {}


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused) as refused:
        trained(tmp_path / "file" / "run")
    assert [problem.code for problem in refused.value.problems] == ["N603"]


def test_who_judges():
    graph = perceptron()
    assert judge_of(graph, PROGRAM).figure == "top1"
    distance = replace(graph, metrics={"mae": graph.losses["side"]})
    assert judge_of(distance, PROGRAM).figure == "ce"
    assert judge_of(replace(graph, metrics={}), PROGRAM).figure == "ce"
