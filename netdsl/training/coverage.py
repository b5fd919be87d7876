"""Which parameters each `minimize` of a step trains, and which are frozen.

A pattern is a label path: a prefix covers what lies below it, `*` is one segment, `rest` is what no
other pattern covers. Every trainable parameter is covered once or frozen, never both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netdsl.diagnostics import Report
from netdsl.diagnostics.program import CoveredTwice, MatchesNothing, NotCovered
from netdsl.ir.program import Minimize, TrainProgram
from netdsl.rewrite.rebuild import prefixes
from netdsl.source import Span

Pattern = tuple[str, ...]
REST: Pattern = ("rest",)
FREEZE = "freeze"


@dataclass(frozen=True)
class Coverage:
    """`trained[i]` are the names that the i-th `minimize` of the step trains."""

    trained: tuple[tuple[str, ...], ...]
    frozen: frozenset[str]


@dataclass(frozen=True)
class Claim:
    """A pattern with the one who says it: the number of a `minimize`, or None for `freeze`."""

    pattern: Pattern
    owner: int | None
    span: Span | None

    @property
    def text(self) -> str:
        said = ".".join(self.pattern)
        return f"{FREEZE} {said}" if self.owner is None else f"over {said}" if said else "minimize"


def covers(pattern: Pattern, path: str) -> bool:
    """Whether a label path is the pattern or lies below it."""
    segments = path.split(".")
    return len(pattern) <= len(segments) and all(
        want in ("*", have) for want, have in zip(pattern, segments)
    )


def cover(
    program: TrainProgram,
    minimize: tuple[Minimize, ...],
    trainable: Iterable[str],
    parameters: Iterable[str],
    report: Report,
) -> Coverage:
    """Who trains what of `trainable`, the parameters that a minimised loss depends on. Patterns may
    also name others of the model's `parameters`. Conflicts and gaps are reported."""
    trainable, parameters = list(trainable), list(parameters)
    freeze = program.spans.get(FREEZE)
    claims = [Claim(pattern, None, freeze) for pattern in program.freeze]
    claims += [Claim(p, i, m.span) for i, m in enumerate(minimize) for p in m.over]
    matched = all([_check_match(claim, parameters, report) for claim in claims])

    owner: dict[str, Claim] = {}
    twice: dict[tuple[Claim, Claim], list[str]] = {}

    def take(claim: Claim, names: Iterable[str]) -> None:
        for name in names:
            holder = owner.setdefault(name, claim)
            if holder.owner != claim.owner:
                twice.setdefault((holder, claim), []).append(name)

    for claim in claims:
        if claim.pattern != REST:
            take(claim, (name for name in trainable if covers(claim.pattern, name)))
    frozen = {name for name, claim in owner.items() if claim.owner is None}
    for i, each in enumerate(minimize):
        if not each.over:
            take(Claim((), i, each.span), (name for name in trainable if name not in frozen))
    remainder = [name for name in trainable if name not in owner]
    for claim in claims:
        if claim.pattern == REST:
            take(claim, remainder)

    for (first, second), names in twice.items():
        report.add(
            CoveredTwice(second.span, tuple(names), first.text, second.text, first.span)
        )
    missed = tuple(name for name in trainable if name not in owner)
    if missed and matched:  # a mistyped pattern leaves a gap, which is not a second mistake
        report.add(NotCovered(minimize[0].span, missed))
    trained = tuple(
        tuple(name for name, claim in owner.items() if claim.owner == i)
        for i in range(len(minimize))
    )
    return Coverage(trained, frozenset(n for n, claim in owner.items() if claim.owner is None))


def _check_match(claim: Claim, parameters: list[str], report: Report) -> bool:
    if claim.pattern == REST or any(covers(claim.pattern, name) for name in parameters):
        return True
    known = {path for name in parameters for path in prefixes(name)}
    report.add(MatchesNothing(claim.span, ".".join(claim.pattern), tuple(sorted(known))))
    return False
