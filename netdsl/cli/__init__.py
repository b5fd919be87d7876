"""The command `netdsl`: one verb, one file. This is the only room that prints or exits.

Exit codes: 0 fine, 1 the user's files have errors, 2 usage, 70 a fault of netdsl, 130 stopped by
Ctrl-C, 141 nobody reads the output any more.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

import netdsl
from netdsl.cli.terminal import tell
from netdsl.cli.verb import BROKEN_PIPE, INTERRUPTED, REFUSED, admit
from netdsl.diagnostics.commands import OutputLost

# A verb's file is loaded when the verb is called for, and with it what only this verb needs.
VERBS = {
    "check": "Find what is wrong with a file, without running anything.",
    "summary": "Show a network's layers, parameters and work as a table.",
    "train": "Train a network by the program in its file.",
    "profile": "Show how large each layer's gradient is while it trains.",
    "evaluate": "Measure trained weights on a data set.",
    "predict": "Run a trained network on images or arrays.",
    "compile": "Write a network with its weights as an ONNX file.",
    "fmt": "Bring files into the canonical layout.",
    "explain": "Explain an error code or a word of the language.",
}
EXAMPLES = """\b
Examples:
  netdsl check models/digits.net
  netdsl train models/digits.net --out runs/digits
  netdsl evaluate models/digits.net --weights runs/digits/best.safetensors
  netdsl compile models/digits.net --weights runs/digits/best.safetensors -o digits.onnx

\b
FILE:MODEL names one model of a file; FILE alone means its last.
`netdsl VERB --help` shows what a verb takes.
"""


class Verbs(click.Group):
    """The verbs, listed without loading any."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return import_module(f"netdsl.cli.{name}").command if name in VERBS else None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs, epilog=EXAMPLES, subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(netdsl.__version__, message="netdsl %(version)s")
def group() -> None:
    """Describe neural networks in a small language; check, train and compile them to ONNX."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line (`sys.argv` when None) and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that lacks a sign shows `?` for it
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # Python's own, about numbers or libraries
    try:
        code = group.main(arguments, prog_name="netdsl", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("netdsl: stopped by Ctrl-C", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        code = BROKEN_PIPE
    except OSError as error:  # outside of a verb: help cannot be printed
        tell([OutputLost.of(error)])
        code = REFUSED
    except Exception as error:  # outside of a verb: while its file is loaded
        code = admit(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = BROKEN_PIPE if isinstance(error, BrokenPipeError) else code or REFUSED
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    sys.exit(code)
