"""Problems of penalties over the weights of layers: codes N47x."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.source import Span


@dataclass(frozen=True)
class PenaltyTooEarly(Problem):
    """A penalty stands before a layer whose weights it is to count.

    A layer's weights come to be where it is first applied. A body runs from top to bottom, so that
    `l1_penalty` and `l2_penalty` count what stands above them:

        body = linear{64}
        loss total = ce + 1e-4 * l2_penalty(body)    # wrong: `body` holds nothing yet
        logits = body(x)

    Write the penalty behind the first use of what it is about, best where the loss is.
    """

    code = "N470"
    span: Span
    penalty: str
    weight: str
    made: Span | None

    def describe(self) -> Diagnostic:
        made = None if self.made is None else Mark(self.made, f"`{self.weight}` is made here")
        return self.say(f"`{self.penalty}` stands before a weight that it is to count", self.span,
                        made, suggestion="write the penalty behind it")


@dataclass(frozen=True)
class NothingToPenalise(Problem):
    """A penalty is about layers that hold no weights.

    `l1_penalty` and `l2_penalty` count parameters of two axes or more that are trained and not
    called `bias`. A norm has none such: its scale and shift have one axis. Nor do copies and frozen
    layers, which nothing trains.

        n = batchnorm{}
        y = n(x)
        loss total = ce + 1e-4 * l2_penalty(n)              # wrong: nothing to count
        loss total = ce + 1e-4 * l2_penalty(n, all = true)  # its scale and shift
    """

    code = "N471"
    span: Span
    penalty: str
    has_others: bool  # whether there are parameters that `all = true` counts

    def describe(self) -> Diagnostic:
        way = "leave it out: nothing that is trained stands above it"
        if self.has_others:
            way = "`all = true` counts parameters of one axis too"
        return self.say(f"`{self.penalty}` finds no weights there that are trained", self.span,
                        suggestion=way)
