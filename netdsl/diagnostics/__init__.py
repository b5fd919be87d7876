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
    """The user's file, data or weights cannot be used; `problems` says why, in order found."""

    def __init__(self, *problems: Problem):
        self.problems = problems
        super().__init__(*problems)

    def __str__(self) -> str:
        from netdsl.diagnostics.render import render_text

        return "\n".join(render_text(problem.describe()) for problem in self.problems)


class Report:
    """Collects problems so that one run tells several. One place gives one message of a code,
    however many instances of its layer run into it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._seen: set[tuple] = set()

    def add(self, problem: Problem) -> None:
        diagnostic = problem.describe()
        where = diagnostic.marks[0].span if diagnostic.marks else diagnostic.message
        if (diagnostic.code, where) not in self._seen:
            self._seen.add((diagnostic.code, where))
            self.problems.append(problem)

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def stop_on_errors(self) -> None:
        """Raise `Refused` with everything collected if any of it is an error."""
        if self.has_errors:
            raise Refused(*self.problems)
