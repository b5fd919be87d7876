"""What every verb is: a click command whose failures become messages and exit codes."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from typing import Any

import click

from netdsl.cli.terminal import show_json, tell
from netdsl.diagnostics import Problem, Refused
from netdsl.diagnostics.commands import Fault
from netdsl.diagnostics.render import render_json

REFUSED, FAULT = 1, 70
INTERRUPTED, BROKEN_PIPE = 130, 141  # 128 + the number of the signal, as shells have it


class Verb(click.Command):
    """A command that ends with a message and the right code, whatever its function raises.

    With the option `--json`, problems are told as JSON on the standard output.
    """

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except Refused as refused:
            self._fail(context, refused.problems, code_of(refused))
        except BrokenPipeError:
            context.exit(BROKEN_PIPE)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("NETDSL_DEBUG"):
                traceback.print_exc()
            self._fail(context, (Fault.of(error),), FAULT)

    def _fail(self, context: click.Context, problems: Sequence[Problem], code: int) -> None:
        if context.params.get("as_json"):
            show_json(problems=[render_json(problem.describe()) for problem in problems])
        else:
            tell(problems)
        context.exit(code)


def code_of(refused: Refused) -> int:
    """Interrupted work is refused with a note; everything else has errors."""
    is_note = all(problem.severity == "note" for problem in refused.problems)
    return INTERRUPTED if is_note else REFUSED
