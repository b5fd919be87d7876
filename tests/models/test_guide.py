"""The guide to the networks, models/README.md: its table is true, its commands fit the networks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import netdsl
from netdsl.cli.compile import command as compile_command
from netdsl.cli.profile import command as profile_command
from netdsl.cli.train import command as train_command
from netdsl.compiler import build, choose, data_source, open_file, split_target
from netdsl.diagnostics import Report
from netdsl.resources import models_folder

PROJECT = models_folder().parent
GUIDE = (models_folder() / "README.md").read_text("utf-8")
TABLE, _, REST = GUIDE.partition("\n## ")
ROWS = [
    [cell.strip(" `") for cell in line.split("|")[1:-1]]
    for line in TABLE.splitlines() if line.startswith("| `")
]
COMMANDS = re.findall(r"(?:^ *|`)((?:netdsl|python3) [^`\n]+)", REST.replace("\\\n", " "), re.M)
OPTIONS = {"train": train_command, "compile": compile_command, "profile": profile_command}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_table_is_what_summary_tells(row):
    target, _, parameters, macs, size, _ = row
    model = netdsl.load(models_folder() / target)
    counted = model.summary().inference
    assert parameters == f"{counted.parameters:,}"
    assert float(macs.removesuffix(" M")) == pytest.approx(counted.macs / 1e6, rel=0.005)
    first = next(iter(model.inputs.values()))
    assert size == "×".join(map(str, first.shape[1:]))


def test_every_file_stands_in_the_table():
    listed = {target.partition(":")[0] for target, *_ in ROWS}
    assert listed == {path.name for path in models_folder().glob("*.net")}


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_the_commands_fit(command):
    """What they name exists; they are too long to be run here."""
    program, *words = shlex.split(command)
    if program == "python3":
        assert (PROJECT / words[0]).is_file()
        return
    verb, *options = words
    given = OPTIONS[verb].make_context(verb, options).params
    for target in given.get("targets") or [given["target"]]:
        path, name = split_target(target)
        report = Report()
        module = open_file(PROJECT / path, report)
        data = data_source(given["data"]) if given.get("data") else None
        built = build(module, choose(module, name), report, given["attributes"],
                      given.get("settings"), name, data)
        assert verb == "compile" or built.program.data == data
        assert set(given.get("outputs") or ()) <= set(built.graph.outputs)


def test_there_are_commands():
    assert len(COMMANDS) >= 7
    assert {Path(word).name for word in re.findall(r"tools/\w+\.py", GUIDE)} == {
        "demo.py", "measure_regularisers.py",
    }
