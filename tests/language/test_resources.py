"""The grammar and the models are found in a checkout and in an installed package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import netdsl
from netdsl.resources import grammar_file, models_folder


def test_in_a_checkout():
    root = Path(netdsl.__file__).parents[1]
    assert grammar_file("netdsl.lark") == root / "grammars" / "netdsl.lark"
    assert models_folder() == root / "models"
    assert grammar_file("netdsl.lark").is_file() and models_folder().is_dir()


def test_in_an_installed_package(tmp_path):
    """A wheel holds both folders inside the package; another beside it is not looked at."""
    package = tmp_path / "netdsl"
    for name in ("grammars", "models"):
        (package / name).mkdir(parents=True)
        (tmp_path / name).mkdir()
    root = Path(netdsl.__file__).parent
    for name in ("__init__.py", "resources.py"):
        shutil.copy(root / name, package / name)
    code = "from netdsl.resources import *; print(grammar_file('g'), models_folder())"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [str(package / "grammars" / "g"), str(package / "models")]
