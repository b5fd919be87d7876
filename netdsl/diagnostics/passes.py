"""What is said of a step in several passes (`accumulate`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem, Severity
from netdsl.source import Span


@dataclass(frozen=True)
class FixedRows(Problem):
    """`accumulate` with a model whose number of rows is fixed.

    A pass works on a part of the batch, so the model must take any number of rows: a free dimension
    leads the inputs that the data feed.

        input image: f32[B, 1, 8, 8]                   # not f32[64, 1, 8, 8]
        train M { batch 64  accumulate 4 … }           # passes of 16 rows
    """

    code = "N480"
    span: Span | None
    example: str

    def describe(self) -> Diagnostic:
        return self.say("the model takes no number of rows but its own, so no pass can take a part",
                        self.span, notes=[self.example] if self.example else (),
                        suggestion="begin the shapes of its inputs with a free dimension: `[B, …]`")


@dataclass(frozen=True)
class NormalisedByPass(Problem):
    """Batch norm normalises over the rows of a pass, not of the batch.

    A step with `accumulate` equals one pass over the whole batch in everything else. Batch norm in
    training takes the mean and variance of the rows that it sees, which are those of one pass, and
    moves its running statistics with every pass:

        batch 256  accumulate 8                        # statistics of 32 rows

    That is what other systems do, and with passes of about 16 rows or more it rarely matters. Norms
    of single examples do not depend on the batch: `groupnorm{groups = 8}`, `layernorm{}`.
    """

    code = "N481"
    severity: ClassVar[Severity] = "note"
    span: Span | None
    rows: int
    layers: tuple[str, ...]

    def describe(self) -> Diagnostic:
        first, *others = self.layers
        more = f" and {len(others)} more" if others else ""
        return self.say(f"batch norm takes its statistics over the {self.rows} rows of a pass",
                        self.span, notes=[f"in `{first}`{more}"])


@dataclass(frozen=True)
class RowsMeetEarly(Problem):
    """`accumulate` saves little: most of the work sees all rows of the batch at once.

    Passes work on what treats each row by itself. From where rows meet, everything is computed for
    the whole batch, which is right and takes the memory of a whole batch. Often rows meet only
    because two inputs were joined along the batch; apply the layer to each of them instead:

        z = encoder(concat(v1, v2, axis = 0))          # rows of v1 and v2 in one tensor
        z1, z2 = encoder(v1), encoder(v2)              # the same numbers, row by row
    """

    code = "N482"
    severity: ClassVar[Severity] = "note"
    span: Span | None
    place: Span | None

    def describe(self) -> Diagnostic:
        meet = None if self.place is None else Mark(self.place, "rows meet here")
        return self.say("passes save little memory: most values are made from all rows at once",
                        self.span, meet)
