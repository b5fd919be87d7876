"""What every verb is: a click command whose failures become messages and exit codes."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from typing import Any

import click

from netdsl.cli.terminal import show_json, tell
from netdsl.diagnostics import Problem, Refused
from netdsl.diagnostics.commands import Fault, OutOfMemory
from netdsl.diagnostics.render import render_json

REFUSED, FAULT = 1, 70
INTERRUPTED, BROKEN_PIPE = 130, 141  # 128 + the number of the signal, as shells have it


class Verb(click.Command):
    """A command that ends with a message and the right code, whatever its function raises.

    With the option `--json`, problems are told as JSON on the standard output.
    """

    def invoke(self, context: click.Context) -> Any:
        as_json = bool(context.params.get("as_json"))
        try:
            return super().invoke(context)
        except Refused as refused:
            context.exit(refuse(refused, as_json))
        except MemoryError:
            context.exit(refuse(Refused(OutOfMemory("this")), as_json))
        except BrokenPipeError:
            context.exit(BROKEN_PIPE)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            context.exit(admit(error, as_json))


def refuse(refused: Refused, as_json: bool = False) -> int:
    """Tell the user's problems; the exit code. Work that was stopped is refused with a note."""
    tell_all(refused.problems, as_json)
    is_note = all(problem.severity == "note" for problem in refused.problems)
    return INTERRUPTED if is_note else REFUSED


def admit(error: Exception, as_json: bool = False) -> int:
    """Tell of a fault of netdsl; the exit code. With NETDSL_DEBUG set, the traceback too."""
    if os.environ.get("NETDSL_DEBUG"):
        traceback.print_exception(error)
    tell_all([Fault.of(error)], as_json)
    return FAULT


def tell_all(problems: Sequence[Problem], as_json: bool) -> None:
    if not as_json:
        tell(problems)
        return
    try:
        show_json(problems=[render_json(problem.describe()) for problem in problems])
    except Refused as refused:  # the standard output is lost
        tell(refused.problems)
