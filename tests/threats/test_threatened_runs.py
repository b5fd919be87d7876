"""Trainings that are disturbed: by another one, a full disk, a damaged checkpoint, a signal, data
that vanish. What was saved stays, and the message says what happened."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from limited import BEST, Change, array, begin, contents, end, labels, netdsl, network

from netdsl.weights import load_weights, read_metadata, save_weights

# ------------------------------------------------------------------ one folder, several trainings


def test_two_trainings_in_one_folder(here):
    first = begin(here, "train m.net --out o --epochs 1000000")
    for line in first.stdout:
        if line.startswith("training on"):
            break
    second = netdsl(here, "train m.net --out o --overwrite")
    assert second.code == 1 and "error[N468]" in second.errors and "`--out`" in second.errors
    first.send_signal(signal.SIGINT)
    assert end(first).code == 130
    assert netdsl(here, "train m.net --out o --overwrite").code == 0  # free again


@pytest.mark.slow
@pytest.mark.parametrize("size", [300, 900])
def test_a_disk_that_is_full_while_epochs_are_saved(here, size):
    before = contents(here)
    answer = netdsl(here, "train m.net --out run --resume --epochs 4", file_size=size)
    assert answer.code == 1 and "error[N603]" in answer.errors and "run/" in answer.errors
    after = contents(here)
    assert after.keys() == before.keys()
    assert after["run/checkpoint.safetensors"] == before["run/checkpoint.safetensors"]
    assert netdsl(here, "train m.net --out run --resume --epochs 4").code == 0


@pytest.mark.slow
def test_a_disk_that_is_full_while_a_network_is_compiled(here):
    assert netdsl(here, f"compile m.net --weights {BEST} -o m.onnx").code == 0
    before = contents(here)
    answer = netdsl(here, "compile m.net -o m.onnx", file_size=300)
    assert answer.code == 1 and "error[N603]" in answer.errors
    assert contents(here) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_may_not_be_written(here):
    (here / "run").chmod(0o500)
    before = contents(here)
    for command in ("train m.net --out run/new", "train m.net --out run --resume --epochs 4",
                    "train m.net --out run --overwrite", "compile m.net -o run/m.onnx"):
        answer = netdsl(here, command)
        assert answer.code == 1 and "error[N603]" in answer.errors, answer
        assert contents(here) == before
    (here / "run").chmod(0o700)


# ------------------------------------------------------------------ going on


def metadata(**texts: object) -> Change:
    def change(here: Path) -> None:
        path = here / "run/checkpoint.safetensors"
        told = {name: text if isinstance(text, str) else json.dumps(text)
                for name, text in texts.items()}
        save_weights(path, load_weights(path), {**read_metadata(path), **told})

    return change


EPOCH = {"number": 1, "losses": {"ce": 1.0}, "validation": {"ce": 1.0, "top1": 0.5},
         "rates": {"@rate.0": 0.1}, "seconds": 1.0}


def history(judge: object = "top1", best: object = 1, **changed: object) -> Change:
    return metadata(history={"version": 1, "epochs": [{**EPOCH, **changed}], "judge": judge,
                             "best": best, "stopped": False})


CHECKPOINTS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "sound": (history(), ()),
    "another format": (metadata(format="netdsl training 99"), ("N465", "netdsl training 99")),
    "figures that are text": (history(validation="text"), ("N465",)),
    "a figure that is text": (history(validation={"ce": "low", "top1": 0.5}), ("N465",)),
    "losses in a list": (history(losses=[1]), ("N465",)),
    "another number": (history(number="../../x"), ("N465",)),
    "a judge that is none": (history(judge=7), ("N465",)),
    "a best epoch that is none": (history(best=99), ("N465",)),
    "brackets": (metadata(history="[" * 100_000), ("N465",)),
    "another seed": (metadata(identity={}), ("N464", "seed: absent then, 0 now")),
    "other figures": (history(validation={"top1": 0.5}), ("N464", "top1 then, ce, top1 now")),
    "another shape": (lambda here: save_weights(
        here / "run/checkpoint.safetensors",
        {**load_weights(here / "run/checkpoint.safetensors"), "a.bias": array(9)},
        read_metadata(here / "run/checkpoint.safetensors")), ("N608", "`a.bias`")),
    "other data": (lambda here: np.savez(here / "d.npz", x=array((64, 4), 7), label=labels(64)),
                   ("N464", "64 rows for training")),
}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[] if name == "other data"
                 else [pytest.mark.slow]) for name in CHECKPOINTS
])
def test_going_on_from(name, here):
    change, words = CHECKPOINTS[name]
    change(here)
    before = contents(here)
    answer = netdsl(here, "train m.net --out run --resume --epochs 4")
    assert answer.code == (1 if words else 0), answer
    assert [word for word in words if word not in answer.errors] == [], answer.errors
    assert not words or contents(here) == before


@pytest.mark.slow
def test_a_damaged_history_is_written_anew(here):
    (here / "run/history.json").write_text("{")
    assert netdsl(here, "train m.net --out run --resume --epochs 3").code == 0
    assert len(json.loads((here / "run/history.json").read_text())["epochs"]) == 3


# ------------------------------------------------------------------ interrupted


@pytest.fixture
def pictures(here) -> Path:
    """Images that are decoded by a thread of their own while the network trains."""
    from PIL import Image

    for number in range(60):
        folder = here / "set" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (here / "t.net").write_text(network(
        "loss ce = cross_entropy(x -> mean(axis = [2, 3]) -> a: linear{2}, label)",
        inputs="input x: f32[B, 3, 64, 64]  input label: i64[B] in 0..2", data='images("set")',
        train="feed x = image"), "utf-8")
    return here


def after_an_epoch(process: subprocess.Popen) -> None:
    for line in process.stdout:
        if line.strip().startswith("1/"):
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize(("damage", "code"), [
    pytest.param(lambda file: file.unlink(), "N501", id="gone"),
    pytest.param(lambda file: file.write_bytes(file.read_bytes()[:50]), "N520", id="cut",
                 marks=pytest.mark.slow),
])
def test_images_that_vanish_in_a_training(pictures, damage, code):
    process = begin(pictures, "train t.net --out o --epochs 100000")
    after_an_epoch(process)
    for file in (pictures / "set" / "b").iterdir():
        damage(file)
    answer = end(process)
    assert answer.code == 1 and f"error[{code}]" in answer.errors and "set/b/" in answer.errors
    assert load_weights(pictures / "o/checkpoint.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_at_random_moments(pictures, stop):
    """No epoch is lost, and with the process all its threads have ended."""
    random, epochs = np.random.default_rng(0), 0
    for _ in range(5):
        go_on = "--resume" if epochs else ""
        process = begin(pictures, f"train t.net --out o --epochs 1000000 {go_on}")
        for line in process.stdout:
            if re.match(r" *\d+/1000000 ", line):
                break
        time.sleep(random.uniform(0, 0.5))
        process.send_signal(stop)
        assert end(process).code == (130 if stop == signal.SIGINT else -stop)
        saved = read_metadata(pictures / "o/checkpoint.safetensors")
        assert load_weights(pictures / "o/checkpoint.safetensors")
        assert int(saved["epoch"]) > epochs
        epochs = int(saved["epoch"])


@pytest.mark.slow
def test_many_weights_are_announced(here):
    layers = "h = x -> a: linear{10000} -> c: linear{10100} -> b: linear{3}\noutput y = h"
    body = f"{layers}\nloss ce = cross_entropy(h, label)"
    (here / "t.net").write_text(network(body), "utf-8")
    answer = netdsl(here, "compile t.net -o o.onnx --no-verify", memory=2**33)
    assert "drawing 101,090,403 random weights" in answer.errors
