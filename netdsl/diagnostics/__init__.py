"""What the user is told when something is wrong: data first, words once, rendering elsewhere.

Each kind of mistake is a `Problem`: a frozen dataclass whose fields are the facts and whose
`describe` puts them into words. The problems of one phase share a file (`syntax`, `names`,
`shapes`, `program`, `data`, `weights`), and the docstring of each is its page in
`netdsl explain`. `render` turns a `Diagnostic` into text for people or JSON for machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from netdsl.source import Span

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the user's text and what is to be said beside it."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message, complete: `marks[0]` is where it happened, the others explain it."""

    code: str
    severity: Severity
    message: str
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    suggestion: str | None = None


@dataclass(frozen=True)
class Problem:
    """Base of every kind of mistake; subclasses are frozen dataclasses with a class-level `code`.

    The subclass's docstring is the page that `netdsl explain CODE` prints: a first line that
    names the mistake, then why it matters, an example and the way out. `trail` tells in which
    instance of which layer it happened, innermost first.
    """

    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    waits: ClassVar[bool] = False  # told only where nothing is wrong
    trail: tuple[str, ...] = field(default=(), kw_only=True)

    def describe(self) -> Diagnostic:
        """This problem in words."""
        raise NotImplementedError

    def say(
        self,
        message: str,
        *marks: Mark | Span | None,
        notes: Iterable[str] = (),
        suggestion: str | None = None,
    ) -> Diagnostic:
        """A diagnostic with this problem's code; spans become marks, absent ones are dropped."""
        placed = tuple(Mark(m) if isinstance(m, Span) else m for m in marks if m is not None)
        notes = (*notes, *self.trail)
        return Diagnostic(self.code, self.severity, message, placed, notes, suggestion)


class Refused(Exception):
    """The user's file, data or weights cannot be used; `problems` says why, in order of place."""

    def __init__(self, *problems: Problem):
        self.problems = in_order(problems)
        super().__init__(*problems)

    def __str__(self) -> str:
        from netdsl.diagnostics.render import render_text

        return "\n".join(render_text(problem.describe()) for problem in self.problems)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """File by file, as they were come to, each from top to bottom; what has no place comes last."""
    placed, elsewhere = [], []
    files: dict[int, int] = {}
    for problem in problems:
        marks = problem.describe().marks
        if not marks:
            elsewhere.append(problem)
            continue
        span = marks[0].span
        placed.append((files.setdefault(id(span.source), len(files)), span.start, problem))
    placed.sort(key=lambda entry: entry[:2])
    return (*(problem for *_, problem in placed), *elsewhere)


def _place_of(diagnostic: Diagnostic) -> tuple[str, Span | str]:
    """What tells two messages apart: the code, and where."""
    where = diagnostic.marks[0].span if diagnostic.marks else diagnostic.message
    return diagnostic.code, where


class Report:
    """Collects problems so that one run tells several. One place gives one message of a code,
    however many instances of its layer run into it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._seen: set[tuple] = set()
        self._silenced: set[tuple] = set()

    def add(self, problem: Problem) -> None:
        place = _place_of(problem.describe())
        if place not in self._seen and place not in self._silenced:
            self._seen.add(place)
            self.problems.append(problem)

    def silence(self, span: Span, *codes: str) -> None:
        """Take problems of these codes at a place for told: another message says it all."""
        self._silenced.update((code, span) for code in codes)

    def forget(self, count: int) -> None:
        """Drop all but the first `count` problems: what reported the others is done again."""
        del self.problems[count:]
        self._seen = {_place_of(problem.describe()) for problem in self.problems}

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def stop_on_errors(self) -> None:
        """Raise `Refused` with everything collected if any of it is an error."""
        if self.has_errors:
            raise Refused(*(problem for problem in self.problems if not problem.waits))
