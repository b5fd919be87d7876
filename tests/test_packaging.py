"""Wheel and sdist hold what they need: built, installed in environments of their own, used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def run(*command: str | Path, where: Path = PROJECT) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=where, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "venv", folder / "builder")
    pip = [folder / "builder" / "bin" / "python", "-m", "pip", "-q"]
    run(*pip, "install", "build")
    run(folder / "builder" / "bin" / "python", "-m", "build", "--outdir", folder, PROJECT)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_an_installed_netdsl_finds_grammar_models_library_and_digits(built, tmp_path, pattern):
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    (package,) = built.glob(pattern)
    run(python, "-m", "pip", "-q", "install", package)
    shown = run(python, "-m", "netdsl", "check", "models/densenet_small.net", where=tmp_path)
    assert "102,298 parameters" in shown
    own = tmp_path / "own.net"
    own.write_text("use std model M { input x: f32[B, 3] output y = x -> m: std.Mlp{8, 2} }\n")
    assert "50 parameters" in run(python, "-m", "netdsl", "check", own, where=tmp_path)
    digits = "from netdsl.data.digits import Digits; d = Digits().load(); print(d.classes)"
    assert "'9'" in run(python, "-c", digits, where=tmp_path)
