"""What the README shows is done here: its commands run, its Python too, its tables are true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import netdsl
from netdsl.resources import models_folder

MISTAKES = Path(__file__).parent / "mistakes"
README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def commands() -> list[list[str]]:
    """The `netdsl` commands of all sh blocks, in their order."""
    lines = "".join(blocks("sh")).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("netdsl ")]


def test_the_commands_run_one_after_the_other(tmp_path):
    assert len(commands()) >= 7
    (tmp_path / "models").symlink_to(models_folder())
    for command in commands():
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True,
            timeout=120,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert (tmp_path / "digits.onnx").is_file()


def test_the_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (snippet,) = blocks("python")
    names: dict = {}
    exec(snippet, names)
    assert names["losses"].keys() == {"ce"}
    assert names["gradients"].keys() == names["model"].parameters.keys()
    assert (tmp_path / "digits.onnx").is_file()


@pytest.mark.parametrize("row", re.findall(r"^\| `(\w+)\.net` \|(.*)\|$", README, re.M))
def test_the_table_of_models_is_true(row):
    name, rest = row
    _, parameters, macs = rest.split("|")
    summary = netdsl.load(models_folder() / f"{name}.net").summary()
    counted = [summary.inference.parameters]
    if summary.training.parameters not in counted:
        counted.append(summary.training.parameters)
    assert re.findall(r"[\d,]+", parameters) == [f"{count:,}" for count in counted]
    assert float(macs.split()[0]) == pytest.approx(summary.inference.macs / 1e6, rel=0.005)


@pytest.mark.parametrize("message", re.findall(r"^```\n(error.*?)^```", README, re.M | re.S))
def test_the_messages_are_those_of_the_mistakes(message):
    name, = re.findall(r"--> (\w+)\.net", message)
    assert message == (MISTAKES / f"{name}.txt").read_text("utf-8")


def test_there_are_five_messages():
    assert len(re.findall(r"^error\[", README, re.M)) == 5


def test_every_model_stands_in_the_table():
    listed = set(re.findall(r"^\| `(\w+\.net)` \|", README, re.M))
    assert listed == {path.name for path in models_folder().glob("*.net")}
