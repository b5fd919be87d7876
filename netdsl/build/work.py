"""What a file may cost: its models and programs share it, so that very many are bounded too."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Refused
from netdsl.diagnostics.evaluation import TooMuch
from netdsl.source import Span

MOST_WORK = 3_000_000  # expressions, or what takes as long
EACH = 200  # of a model or program, whatever it holds


@dataclass(eq=False)
class Work:
    """Counts the expressions evaluated for one file and all that it uses."""

    spent: int = 0

    def begin(self, span: Span) -> None:
        """Count one more model or program. Raises Refused where there are too many."""
        self.spent += EACH
        if self.spent > MOST_WORK:
            what = "expressions evaluated for all models of the file"
            raise Refused(TooMuch(span, what, MOST_WORK))
