"""The real command in a process with bounds, and a small network and data for it."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

ROOT = Path(__file__).parents[2]
ADDRESS_SPACE = 3 * 2**30  # libraries take a part of it that is never touched
SECONDS = 60  # of the processor
BEST = "run/best.safetensors"
Change: TypeAlias = Callable[[Path], object]  # what is done to the folder before the command

LAYERS = """
    output logits = x -> a: linear{8} -> relu -> b: linear{3}
    loss ce = cross_entropy(logits, label)
    metric top1 = accuracy(logits, label)
"""


def network(
    body: str = LAYERS, train: str = "", data: str = 'npz("d.npz", validate = "v.npz")',
    inputs: str = "input x: f32[B, 4]  input label: i64[B] in 0..3", batch: int = 8,
    optimizer: str = "sgd(lr = 0.1)",
) -> str:
    return (f"model M {{\n    {inputs}\n{body}\n}}\ntrain M {{ data {data} batch {batch} epochs 2 "
            f"{train} minimize ce with {optimizer} }}\n")


@dataclass(frozen=True)
class Answer:
    code: int
    output: str
    errors: str


def begin(
    where: Path, command: str, file_size: int | None = None, memory: int = ADDRESS_SPACE
) -> subprocess.Popen:
    """`netdsl …` as a process with bounds on its memory, its time and the size of its files."""

    def limited() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "netdsl", *shlex.split(command)], cwd=where,
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, preexec_fn=limited)


def end(process: subprocess.Popen) -> Answer:
    output, errors = process.communicate(timeout=4 * SECONDS)
    assert "Traceback" not in errors and "N999" not in errors, errors
    return Answer(process.returncode, output, errors)


def netdsl(where: Path, command: str, **bounds: int) -> Answer:
    return end(begin(where, command, **bounds))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


def array(shape: int | tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def labels(count: int) -> np.ndarray:
    return np.arange(count) % 3
