"""Which parameters each `minimize` of each step trains, and which are frozen.

Every trainable parameter that a minimised loss needs is trained in some step or frozen, never both
and never by two optimisers of one step. `rest` is what no other pattern of the program covers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from netdsl.diagnostics import Report
from netdsl.diagnostics.evaluation import TooMuch
from netdsl.diagnostics.program import CoveredTwice, MatchesNothing, NotCovered
from netdsl.ir.program import Pattern, Step, TrainProgram
from netdsl.registry import MOST_PROBLEMS
from netdsl.rewrite.rebuild import prefixes
from netdsl.source import Span

MOST_COMPARED = 2_000_000  # patterns times parameters


@dataclass(frozen=True)
class Coverage:
    """`trained[i]` are the names that the i-th `minimize` of a step trains; `frozen` those of its
    parameters that `freeze` holds."""

    trained: tuple[tuple[str, ...], ...]
    frozen: frozenset[str]


@dataclass(frozen=True)
class Claim:
    """A pattern with the one who says it: the number of a `minimize`, or None for `freeze`. No
    pattern: everything that is not frozen."""

    pattern: Pattern | None
    owner: int | None
    span: Span | None

    @property
    def text(self) -> str:
        if self.pattern is None:
            return "minimize"
        return f"{'freeze' if self.owner is None else 'over'} {self.pattern}"

    @property
    def is_rest(self) -> bool:
        return self.pattern is not None and self.pattern.is_rest


def cover(
    program: TrainProgram,
    trainable: Sequence[Collection[str]],
    parameters: Collection[str],
    report: Report,
    copies: Mapping[str, str] | None = None,
) -> tuple[Coverage, ...]:
    """Who trains what in each step, where `trainable[i]` are the parameters that the losses of the
    i-th step need. Patterns may also name others of the model's `parameters`. Conflicts and gaps
    are reported; nothing is returned where there is too much to compare. `copies` tells what each
    variable of a copy follows."""
    frozen = [Claim(pattern, None, pattern.span) for pattern in program.freeze]
    claims = [_claims(step) for step in program.steps]
    everything = [*frozen, *(claim for own in claims for claim in own)]
    if len(everything) * len(parameters) > MOST_COMPARED:
        report.add(TooMuch(everything[-1].span, "patterns times parameters", MOST_COMPARED))
        return ()
    matched = _check_matches(everything, parameters, copies or {}, report)

    steps = [_Owners(names) for names in trainable]
    for step, own in zip(steps, claims):
        step.take_patterns([*frozen, *own])
    needed = list(dict.fromkeys(name for names in trainable for name in names))
    left = {name for name in needed if not any(name in step.owner for step in steps)}
    for step, own in zip(steps, claims):
        for claim in (*own, *frozen):
            if claim.is_rest:
                step.take(claim, [name for name in step.names if name in left])

    for step in steps:
        step.tell_twice(report)
    missed = tuple(name for name in needed if not any(name in step.owner for step in steps))
    if missed and matched:  # a mistyped pattern leaves a gap, which is not a second mistake
        report.add(NotCovered(program.steps[0].minimize[0].span, missed))
    return tuple(step.coverage(len(s.minimize)) for step, s in zip(steps, program.steps))


def _claims(step: Step) -> list[Claim]:
    claims = []
    for number, each in enumerate(step.minimize):
        claims += [Claim(pattern, number, pattern.span or each.span) for pattern in each.over]
        if not each.over:
            claims.append(Claim(None, number, each.span))
    return claims


class _Owners:
    """Who holds each parameter of one step: the first claim to it; `twice` has the others."""

    def __init__(self, names: Collection[str]):
        self.names = names
        self.owner: dict[str, Claim] = {}
        self.twice: dict[tuple[Claim, Claim], list[str]] = {}

    def take(self, claim: Claim, names: Iterable[str]) -> None:
        for name in names:
            holder = self.owner.setdefault(name, claim)
            if holder.owner != claim.owner:
                self.twice.setdefault((holder, claim), []).append(name)

    def take_patterns(self, claims: Iterable[Claim]) -> None:
        """What is named, then what a `minimize` without `over` takes."""
        for claim in claims:
            if claim.pattern is not None and not claim.is_rest:
                self.take(claim, [name for name in self.names if claim.pattern.covers(name)])
        frozen = {name for name, claim in self.owner.items() if claim.owner is None}
        for claim in claims:
            if claim.pattern is None:
                self.take(claim, [name for name in self.names if name not in frozen])

    def tell_twice(self, report: Report) -> None:
        for (first, second), names in self.twice.items():
            report.add(
                CoveredTwice(second.span, tuple(names), first.text, second.text, first.span)
            )

    def coverage(self, count: int) -> Coverage:
        trained = tuple(
            tuple(name for name, claim in self.owner.items() if claim.owner == number)
            for number in range(count)
        )
        return Coverage(trained, frozenset(n for n, c in self.owner.items() if c.owner is None))


def _check_matches(
    claims: Iterable[Claim], parameters: Collection[str], copies: Mapping[str, str], report: Report
) -> bool:
    """Whether every pattern is that of some parameter; reports those that are not."""
    unmatched = [
        claim for claim in claims
        if claim.pattern is not None and not claim.is_rest
        and not any(map(claim.pattern.covers, parameters))
    ]
    if unmatched:
        known = tuple(sorted({path for name in parameters for path in prefixes(name)}))
        for claim in unmatched[:MOST_PROBLEMS]:
            followed = _followed(claim.pattern, copies)
            report.add(MatchesNothing(claim.span, str(claim.pattern), known, followed))
    return not unmatched


def _followed(pattern: Pattern, copies: Mapping[str, str]) -> str | None:
    """What the copy at a pattern follows: `on` for `t` where `t.fc.weight` follows `on.fc.weight`.
    None where no copy lies there."""
    for name, source in copies.items():
        if pattern.covers(name):
            below = name.split(".")[len(pattern.segments):]
            return ".".join(source.split(".")[: -len(below) or None])
    return None
