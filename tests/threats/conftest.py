"""A folder to run commands in, with a network, data and a training of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("resource", reason="limits of POSIX")

from limited import array, labels, netdsl, network


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A folder with a network, data, and a training of two epochs in `run`."""
    folder = tmp_path_factory.mktemp("threats")
    (folder / "m.net").write_text(network(), "utf-8")
    np.savez(folder / "d.npz", x=array((64, 4)), label=labels(64))
    np.savez(folder / "v.npz", x=array((16, 4), 1), label=labels(16))
    np.save(folder / "x.npy", array((2, 4)))
    assert netdsl(folder, "train m.net --out run").code == 0
    return folder


@pytest.fixture
def here(begun, tmp_path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "here"))
