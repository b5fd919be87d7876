"""The naming rule: every instance gets a label path, and parameters are named by it.

Label: an explicit `name:`, else the name in `name = L{…}` where first bound, else kind and number.
A labelled loop adds `label.index`; one unlabelled instance in its body takes the loop's path.
"""

from __future__ import annotations

from collections import Counter

from netdsl.diagnostics import Problem
from netdsl.diagnostics.names import (
    DuplicateLabel,
    NameByPosition,
    OwnedByNothing,
    SecondUnlabelled,
    UnlabelledLoop,
)
from netdsl.source import Span


def join(path: str, label: str) -> str:
    return f"{path}.{label}" if path else label


class Labels:
    """The labels used below one path: a body, or one turn of a loop.

    `loop` is None for a body, "labelled" or "unlabelled" for a turn, "none" where nothing may be
    made: lets of a file, defaults of attributes, arguments of presets and overrides.
    """

    def __init__(self, path: str, loop: str | None = None):
        self.path, self.loop = path, loop
        self._used: dict[str, Span] = {}
        self._counts: Counter[str] = Counter()
        self._single: Span | None = None

    def claim(self, kind: str, label: str | None, span: Span) -> tuple[str, Problem | None]:
        """The path of a new instance, and what is to be said of its name, if anything."""
        if self.loop == "none":
            return join(self.path, kind), OwnedByNothing(span, kind)
        if self.loop == "unlabelled":
            return join(self.path, label or kind), UnlabelledLoop(span, kind)
        if label is not None:
            return join(self.path, label), self.use(label, span)
        if self.loop == "labelled":
            if self._single is not None:
                return join(self.path, kind), SecondUnlabelled(span, kind, self._single)
            self._single = span
            return self.path, None
        path = join(self.path, self.number(kind))
        return path, NameByPosition(span, path)

    def use(self, label: str, span: Span) -> Problem | None:
        """Take a label for an instance, a loop or a parameter; the problem if it is taken."""
        if label in self._used:
            return DuplicateLabel(span, label, self._used[label])
        self._used[label] = span
        return None

    def number(self, kind: str) -> str:
        """kind_0, kind_1, …: for instances without a label and for functions."""
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind] - 1}"

    def turn(self, label: str | None, i: int) -> Labels:
        """The labels of turn `i` of a loop in here. What runs in an unlabelled one goes on with
        the numbers of the body; a labelled one inside of it names nothing either."""
        if label is not None and self.loop not in ("unlabelled", "none"):
            return Labels(join(join(self.path, label), str(i)), "labelled")
        inner = Labels(self.path, self.loop if self.loop == "none" else "unlabelled")
        inner._counts = self._counts
        return inner

    def branch(self, label: str) -> Labels:
        """The labels in the branch of a labelled `if` in here."""
        if self.loop in ("unlabelled", "none"):
            return self
        return Labels(join(self.path, label), "labelled")
