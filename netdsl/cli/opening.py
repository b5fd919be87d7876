"""From what the command line names to a model that is checked and ready."""

from __future__ import annotations

from collections.abc import Mapping

from netdsl.cli.terminal import tell
from netdsl.compiler import build, choose, open_file, split_target
from netdsl.diagnostics import Report
from netdsl.model import Model


def open_model(
    target: str, attributes: Mapping[str, str], settings: Mapping[str, str] | None = None
) -> Model:
    """The model that FILE[:MODEL] means, with `-D` and `--set` applied. Warnings are told; raises
    Refused for errors."""
    path, name = split_target(target)
    report = Report()
    module = open_file(path, report)
    model = Model(build(module, choose(module, name), report, attributes, settings))
    tell(report.problems)
    return model
