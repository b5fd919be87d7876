"""What reaches the terminal: text in its width and colours, problems, JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from typing import IO, Any

import click

from netdsl.diagnostics import Problem, Refused, in_order
from netdsl.diagnostics.commands import OutputLost
from netdsl.diagnostics.render import render_text

VERSION = 1  # of every JSON object that the verbs print
WIDTH = 100  # where there is no terminal
MOST_TOLD = 50  # problems of one severity


def show(text: str = "") -> None:
    """A line on the standard output. Raises Refused where it cannot be written."""
    try:
        click.echo(text, color=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused(OutputLost.of(error)) from None


def show_json(**content: Any) -> None:
    """One JSON object on the standard output, with the version of its form. Arrays are lists; NaN
    and infinite numbers, which JSON lacks, are null."""
    text = json.dumps({"version": VERSION, **content}, default=lambda array: array.tolist())
    whole = json.loads(text, parse_constant=lambda name: None)
    show(json.dumps(whole, indent=2, ensure_ascii=False))


def tell(problems: Iterable[Problem]) -> None:
    """Messages on the standard error, at most MOST_TOLD of one severity, and at the end how to
    learn more."""
    color, width = uses_color(sys.stderr), columns(sys.stderr)
    found: Counter[str] = Counter()
    first_error = ""
    for problem in in_order(problems):
        found[problem.severity] += 1
        if found[problem.severity] > MOST_TOLD:
            continue
        diagnostic = problem.describe()
        click.echo(render_text(diagnostic, color, width) + "\n", err=True, color=True)
        if diagnostic.severity == "error":
            first_error = first_error or diagnostic.code
    for severity, count in found.items():
        if count > MOST_TOLD:
            click.echo(f"{count - MOST_TOLD:,} more {severity}s are not shown", err=True)
    if first_error:
        count = "1 error" if found["error"] == 1 else f"{found['error']:,} errors"
        click.echo(f"{count}; `netdsl explain {first_error}` tells more", err=True)


def uses_color(stream: IO[str]) -> bool:
    """Whether colours are welcome: on a terminal, unless NO_COLOR says no (no-color.org)."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not is_plain


def columns(stream: IO[str]) -> int:
    """The width of the terminal behind a stream, `WIDTH` where there is none."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if stream.isatty() else WIDTH


def look() -> dict[str, Any]:
    """`width` and `color` of the standard output, as the views take them."""
    return {"width": columns(sys.stdout), "color": uses_color(sys.stdout)}
