"""`netdsl fmt`: files in the canonical layout."""

from __future__ import annotations

import sys
from difflib import unified_diff
from pathlib import Path

import click

from netdsl.cli.terminal import show, uses_color
from netdsl.cli.verb import REFUSED, Verb
from netdsl.diagnostics import Refused
from netdsl.language.formatter import format_text
from netdsl.language.text import read_source
from netdsl.source import Source
from netdsl.weights.atomic import replacing

EXAMPLES = """\b
Examples:
  netdsl fmt models/*.net
  netdsl fmt --check models/*.net        (in CI: exit code 1 if a file would change)
"""
DIFF_COLORS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(cls=Verb, epilog=EXAMPLES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Change nothing; tell which files would change.")
@click.option("--diff", is_flag=True, help="Change nothing; show what would change.")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], check: bool, diff: bool) -> None:
    """Bring files into the canonical layout, comments kept.

    A file is replaced whole or not at all. Those that cannot be parsed are left as they are.
    """
    problems, changed = [], 0
    for file in files:
        try:
            changed += format_file(file, check or diff, diff)
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(*problems)
    if check and changed:
        context.exit(REFUSED)


def format_file(file: str, keep: bool, diff: bool) -> bool:
    """Whether the file is, or with `keep` would be, changed. Raises Refused."""
    source = read_source(file)
    formatted = format_text(source)
    if formatted == source.text:
        return False
    if diff:
        show_diff(source, formatted)
    elif keep:
        show(f"would change {file}")
    else:
        write(Path(file), formatted)
        show(f"changed {file}")
    return True


def write(path: Path, text: str) -> None:
    """Replace a file's text, keeping its mode; of a link, the file behind it. Raises Refused."""
    path = path.resolve()
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.chmod(path.stat().st_mode & 0o777)


def show_diff(source: Source, formatted: str) -> None:
    color = uses_color(sys.stdout)
    before, after = source.text.splitlines(), formatted.splitlines()
    for line in unified_diff(before, after, source.name, f"{source.name} (formatted)", lineterm=""):
        paint = DIFF_COLORS.get(line[:1]) if color else None
        show(click.style(line, fg=paint) if paint else line)
