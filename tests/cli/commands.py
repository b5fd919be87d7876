"""How these tests call the command line: in this process, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from click.testing import CliRunner, Result

from netdsl.cli import group
from netdsl.resources import models_folder

MODELS = models_folder()
DIGITS = str(MODELS / "digits.net")
ROOT = MODELS.parent


def netdsl(*arguments: Any) -> Result:
    """One command, run here."""
    return CliRunner().invoke(group, [str(argument) for argument in arguments], prog_name="netdsl")


def netdsl_json(*arguments: Any, code: int = 0) -> dict:
    """What a command prints with `--json`, which must be all of its output."""
    result = netdsl(*arguments, "--json")
    assert result.exit_code == code, result.output
    content = json.loads(result.stdout)
    assert content["version"] == 1
    return content


def start(*arguments: Any, encoding: str = "utf-8", **environment: str) -> subprocess.Popen:
    """One command as a process of its own, both outputs piped as text."""
    return subprocess.Popen(
        [sys.executable, "-m", "netdsl", *map(str, arguments)], text=True, encoding=encoding,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
