"""`kill -9` at any moment: what is on disk is whole, and the training goes on to the same bits."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from netdsl.weights import load_weights

ROOT = Path(__file__).parents[2]
FILES = ("weights", "best", "checkpoint")
KILLS = 10
SHORT = ("--epochs", "3")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")

# batch norm, dropout, augmentation, two memories for each weight, clipping, a plateau: all that a
# training keeps from step to step
FILE = """
model Net {
    input image: f32[B, 1, 8, 8]
    input label: i64[B] in 0..10
    x = image -> c: conv{8, k = 3, pad = 1, bias = false} -> n: batchnorm{} -> relu -> dropout(0.2)
    logits = x -> flatten -> fc: linear{10}
    output logits
    loss ce = cross_entropy(logits, label)
    metric top1 = accuracy(logits, label)
}
train Net {
    data digits()
    feed image = image -> random_crop(pad = 1) when training -> normalize(mean = 0.3, std = 0.4)
    batch 32
    epochs 40
    clip 2.0
    minimize ce with adam(lr = warmup(1) -> plateau(4e-3, val.ce, patience = 1))
}
"""


def started(folder: Path, file: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "netdsl", "train", file, "--out", folder, "--keep-best", "3"]
    return subprocess.Popen(
        [*map(str, command), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def finished(folder: Path, file: Path, *options: str) -> None:
    process = started(folder, file, *options)
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")


def options_for(folder: Path) -> list[str]:
    return ["--resume"] if (folder / "checkpoint.safetensors").exists() else []


def check_whole(folder: Path) -> None:
    """Nothing that is there is half written."""
    for path in folder.glob("*.safetensors"):
        assert all(np.isfinite(array).all() for array in load_weights(path).values())
    if (folder / "history.json").exists():
        json.loads((folder / "history.json").read_text("utf-8"))


def check_same(a: Path, b: Path) -> None:
    names = sorted(path.name for path in a.glob("*.safetensors"))
    assert names == sorted(path.name for path in b.glob("*.safetensors"))
    assert len(names) == len(FILES) + 3
    for name in names:
        one, two = load_weights(a / name), load_weights(b / name)
        assert one.keys() == two.keys()
        assert all(one[key].tobytes() == two[key].tobytes() for key in one), name
    assert not list(b.glob(".*.tmp"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "net.net").write_text(FILE, "utf-8")
    finished(folder / "run", folder / "net.net")
    finished(folder / "short", folder / "net.net", *SHORT)
    return folder


@pytest.mark.slow
def test_ten_random_moments(undisturbed, tmp_path):
    began = time.perf_counter()
    finished(tmp_path / "timed", undisturbed / "net.net")
    whole = time.perf_counter() - began
    moments = random.Random(4)
    killed = 0
    while killed < KILLS:
        run = tmp_path / f"run{killed}"  # a new one when the last came to its end
        process = started(run, undisturbed / "net.net", *options_for(run))
        try:
            process.wait(moments.uniform(0.2, 1.0) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
        if run.exists():
            check_whole(run)
            finished(run, undisturbed / "net.net", *options_for(run))
            check_same(undisturbed / "run", run)


@pytest.mark.slow
def test_ten_random_moments_of_one_run(undisturbed, tmp_path):
    """The same training is killed and resumed over and over until it has been killed ten times or
    has come to its end; then it is brought to its end."""
    moments, run, killed = random.Random(5), tmp_path / "run", 0
    while killed < KILLS:
        process = started(run, undisturbed / "net.net", *options_for(run))
        time.sleep(moments.uniform(0.5, 1.3))  # some of them before anything has been saved
        killed += process.poll() is None
        process.kill()
        process.communicate()
        if run.exists():
            check_whole(run)
    finished(run, undisturbed / "net.net", *options_for(run))
    check_same(undisturbed / "run", run)


KILLER = """
import os, signal, sys
import netdsl.__main__

calls, last = 0, int(sys.argv.pop(1))
for name in ("open", "fsync", "replace", "close"):
    def counted(*arguments, _real=getattr(os, name), **keywords):
        global calls
        calls += "safetensors" in str(arguments[0]) or isinstance(arguments[0], int)
        if calls > last:
            os.kill(os.getpid(), signal.SIGKILL)
        return _real(*arguments, **keywords)
    setattr(os, name, counted)
netdsl.__main__.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("call", (2, 5, 9, 13, 17, 18, 21, 26, 31, 40))
def test_killed_at_a_call_that_writes(undisturbed, tmp_path, call):
    """Between any two calls to the system that make, fill, flush or rename a file."""
    run = tmp_path / "run"
    command = [sys.executable, "-c", KILLER, str(call), "train", str(undisturbed / "net.net"),
               "--out", str(run), "--keep-best", "3", *SHORT]
    ended = subprocess.run(command, capture_output=True, timeout=120,
                           env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert ended.returncode == -signal.SIGKILL
    if run.exists():
        check_whole(run)
    finished(run, undisturbed / "net.net", *options_for(run), *SHORT)
    check_same(undisturbed / "short", run)
