"""What is known of free dimensions while a model is built: shape rules ask, and what can neither be
proved nor refuted is assumed, listed, and known from then on.

    with collecting(Assumptions()) as found:
        agree(4 * (L // 4), L)        # True: assumed, as L % 4 == 0
        agree(8 * (L // 4), 2 * L)    # True: proved
        agree(4 * (L // 4) + 1, L)    # False: refuted

An equation that gives a dimension (`S == T + 1`, `L % 4 == 0` as L = 4·l) is put in wherever that
dimension stands; every other relation is a fact for `proof`. Where nobody collects, in passes over
a graph whose builder has listed all this, `agree` and `within` accept what is not plainly wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TypeAlias

from netdsl.ir.dim import (
    Dim,
    Expr,
    Quotient,
    Symbol,
    TooComplex,
    bounds,
    constant,
    free_symbols,
    single,
    substitute,
    symbol,
    terms_of,
)
from netdsl.ir.proof import by_intervals, decide
from netdsl.ir.relations import Assumption, Message, Place, Relation, compared, relation
from netdsl.ir.simplex import Effort, OutOfEffort
from netdsl.source import Span

WHOLE_BUILD = 100_000  # numbers calculated for the proofs of one model
MOST_KNOWN = 20  # facts put before one question
Reasons: TypeAlias = frozenset[int]  # numbers of assumptions
NONE: Reasons = frozenset()


@dataclass(frozen=True, slots=True)
class Fact:
    """A size that is at least 0, and why."""

    size: Expr
    reasons: Reasons
    symbols: frozenset[str]


class Assumptions:
    """Collects what one model assumes. `asks` says who needs the relations that come next."""

    def __init__(self) -> None:
        self._list: list[Assumption] = []
        self._places: list[dict[Place, None]] = []  # of the nodes that rest on each
        self._values: dict[str, tuple[Dim, Reasons]] = {}  # what dimensions are, by equations
        self._facts: dict[Dim, Fact] = {}  # by what they are without their number
        self._answers: dict[Relation, tuple[bool, Reasons]] = {}
        self._effort = Effort(WHOLE_BUILD)
        self.asker: tuple[str, str, Span | None] = "", "", None
        self._place: Place = "", None
        self.refuting: tuple[Assumption, ...] = ()  # what refuted the last need
        self._assumes = True

    def asks(self, what: str, path: str, span: Span | None, for_all: bool = False) -> None:
        """`what`, at `span` in the layer at `path`, needs what is asked from now on; `for_all`:
        so does every node of that layer."""
        self.asker = what, path, span
        self._place = path, None if for_all else span

    def __len__(self) -> int:
        return len(self._list)

    def listed(self) -> tuple[Assumption, ...]:
        """Everything assumed, in order, with the places of the nodes that rest on it."""
        return tuple(
            replace(each, places=frozenset(places))
            for each, places in zip(self._list, self._places)
        )

    # -------------------------------------------------------------- questions

    def needs(self, asked: Relation | bool) -> bool:
        """Whether a relation is proved or, from now on, assumed; False: refuted."""
        if not self._assumes:
            return self.knows(asked) is True
        value, reasons = (asked, NONE) if isinstance(asked, bool) else self._known(asked)
        if value is None:
            self._assume(Assumption(asked, *self.asker), {self._place: None})
        return self._judged(value, reasons) is not False

    def asserted(self, asked: Relation, message: Message, of_batch: bool) -> bool:
        """List an assertion, unless it is always so; False: refuted."""
        value, reasons = self._known(asked)
        own = Assumption(asked, *self.asker, message, of_batch=of_batch)
        if value is None or (value and reasons):
            self._assume(own, {} if of_batch else {self._place: None})
        return self._judged(value, reasons if value is False else NONE) is not False

    def knows(self, asked: Relation | bool) -> bool | None:
        """Whether a relation is proved, refuted or open; nothing is assumed."""
        value, reasons = (asked, NONE) if isinstance(asked, bool) else self._known(asked)
        for number in reasons if self._assumes else ():
            self._places[number][self._place] = None
        return value

    @contextmanager
    def only_proving(self) -> Iterator[None]:
        """While something is tried beside the build: what is open counts as refuted."""
        before, self._assumes = self._assumes, False
        try:
            yield
        finally:
            self._assumes = before

    def _judged(self, value: bool | None, reasons: Reasons) -> bool | None:
        """The answer, after noting what rests on what."""
        self.refuting = tuple(self._list[i] for i in sorted(reasons)) if value is False else ()
        for number in reasons if value else ():
            self._places[number][self._place] = None
        return value

    def told(self) -> tuple[str, ...]:
        """What refuted the last need, in words, for one message."""
        told = tuple(
            f"{each.relation} is {'asserted' if each.is_asserted else 'assumed'} ({each.origin})"
            for each in self.refuting
        )
        self.refuting = ()
        return told

    def _known(self, asked: Relation) -> tuple[bool | None, Reasons]:
        if asked in self._answers:
            return self._answers[asked]
        try:
            value, reasons = self._decided(asked)
        except (TooComplex, OutOfEffort, ZeroDivisionError):
            return None, NONE
        if value is not None:
            self._answers[asked] = value, reasons
        return value, reasons

    def _decided(self, asked: Relation) -> tuple[bool | None, Reasons]:
        alone = decide(asked.difference, asked.operator, (), self._effort)
        if alone.value is not None or not self._list:
            return alone.value, NONE
        self._effort.spend(asked.difference.parts + len(self._facts))
        settled, reasons = self._settled(asked.difference)
        rest = relation(settled, asked.operator, 0)
        if isinstance(rest, bool):
            return rest, reasons
        facts = self._about(rest.symbols)
        answer = decide(
            rest.difference, rest.operator, [fact.size for fact in facts], self._effort)
        if answer.value is None:
            return None, NONE
        return answer.value, reasons.union(*(facts[i].reasons for i in answer.used))

    def _settled(self, dim: Dim) -> tuple[Dim, Reasons]:
        """A size with what is known put in, and why."""
        known = {n: self._values[n] for n in free_symbols(dim) if n in self._values}
        if not known:
            return dim, NONE
        put_in = substitute(dim, {name: value for name, (value, _) in known.items()})
        return put_in, NONE.union(*(reasons for _, reasons in known.values()))

    def _about(self, symbols: frozenset[str]) -> list[Fact]:
        """The facts that share a dimension with these, or with one that does."""
        reached, found, left = symbols, [], list(self._facts.values())
        while True:
            near = [fact for fact in left if not reached.isdisjoint(fact.symbols)]
            if not near or len(found) >= MOST_KNOWN:
                return found[:MOST_KNOWN]
            found += near
            left = [fact for fact in left if reached.isdisjoint(fact.symbols)]
            reached = reached.union(*(fact.symbols for fact in near))

    # -------------------------------------------------------------- what is learnt

    def _assume(self, assumption: Assumption, places: dict[Place, None]) -> None:
        asked, own = assumption.relation, frozenset({len(self._list)})
        self._list.append(assumption)
        self._places.append(places)
        self._answers.setdefault(asked, (True, own))
        try:
            settled, reasons = self._settled(asked.difference)
            rest = relation(settled, asked.operator, 0)
            if isinstance(rest, Relation):
                self._learn(rest, own | reasons)
        except (TooComplex, ZeroDivisionError):
            pass  # it is listed and will be checked; it proves nothing else

    def _learn(self, rest: Relation, reasons: Reasons) -> None:
        if rest.operator == ">=":
            self._add_fact(rest.difference, reasons)
        elif rest.operator == "!=":
            if bounds(rest.difference)[0] >= 0:
                self._add_fact(rest.difference - 1, reasons)
        elif (solved := _solved(rest.difference)) is not None:
            self._put_in(*solved, reasons)
        else:
            self._add_fact(rest.difference, reasons)
            self._add_fact(-rest.difference, reasons)

    def _add_fact(self, size: Dim, reasons: Reasons) -> None:
        """Keep that a size is at least 0; of facts that differ by a number the strongest."""
        if isinstance(size, int):
            return
        form = size - constant(size)
        kept = self._facts.get(form)
        if kept is None or constant(kept.size) > constant(size):
            self._facts[form] = Fact(size, reasons, free_symbols(size))

    def _put_in(self, name: str, value: Dim, reasons: Reasons) -> None:
        """Everything known, with the dimension replaced by its value. Raises TooComplex."""
        by = {name: value}
        values = {
            other: (substitute(known, by), why | reasons if name in free_symbols(known) else why)
            for other, (known, why) in self._values.items()
        }
        facts = [
            (substitute(fact.size, by), fact.reasons | reasons) if name in fact.symbols
            else (fact.size, fact.reasons)
            for fact in self._facts.values()
        ]
        if bounds(value)[0] < 1:
            facts.append((value - 1, reasons))
        self._values, self._facts = {**values, name: (value, reasons)}, {}
        for size, why in facts:
            self._add_fact(size, why)


def _solved(difference: Expr) -> tuple[str, Dim] | None:
    """The dimension that difference = 0 gives, and its value: S = T + 1, or L = 4·l with a name
    of its own for l."""
    for monomial, factor in difference.terms:
        atom, power = monomial[0] if len(monomial) == 1 else (None, 0)
        if not isinstance(atom, Symbol) or power != 1 or abs(factor) != 1:
            continue
        value = -factor * (difference - factor * single(atom))
        if atom.name not in free_symbols(value):
            return atom.name, value
        rest = constant(value)
        for product, divisor in terms_of(value - rest):
            if product == ((Quotient(single(atom), divisor), 1),) and value == (
                divisor * single(product[0][0]) + rest
            ):
                # ⌊L / d⌋ may be 0 where L = d·⌊L / d⌋ + r with r > 0, a dimension is at least 1
                return atom.name, divisor * (symbol(f"{atom} // {divisor}") - (rest > 0)) + rest
    return None


def strongest(assumptions: Sequence[Assumption]) -> tuple[Assumption, ...]:
    """Without those that the others say too: `H >= 3` beside `H >= 7`, `H % 2 == 0` beside
    `H % 8 == 0`. What is asserted stays, for its message."""
    told = Assumptions()
    kept = [i for i, each in enumerate(assumptions) if each.is_asserted]
    for i in kept:
        told.needs(assumptions[i].relation)
    for i in reversed(range(len(assumptions))):  # no later one follows from those before
        each = assumptions[i]
        if not each.is_asserted and told.knows(each.relation) is not True:
            told.needs(each.relation)
            kept.append(i)
    return tuple(assumptions[i] for i in sorted(kept))


# ------------------------------------------------------------------ what shape rules ask

_COLLECTOR: ContextVar[Assumptions | None] = ContextVar("assumptions", default=None)


@contextmanager
def collecting(assumptions: Assumptions) -> Iterator[Assumptions]:
    """While a model is built: what shape rules ask goes to these."""
    token = _COLLECTOR.set(assumptions)
    try:
        yield assumptions
    finally:
        _COLLECTOR.reset(token)


def agree(a: Dim, b: Dim) -> bool:
    """Whether two sizes are equal, proved or assumed; False: they never are."""
    if a == b:
        return True
    if isinstance(a, int) and isinstance(b, int):
        return False
    return _needed(a, "==", b)


def within(a: Dim, b: Dim) -> bool:
    """Whether a ≤ b, proved or assumed; False: it never is."""
    if isinstance(a, int) and isinstance(b, int):
        return a <= b
    return _needed(a, "<=", b)


def differ(a: Dim, b: Dim) -> bool:
    """Whether two sizes are unequal, proved or assumed; False: they never are."""
    if isinstance(a, int) and isinstance(b, int):
        return a != b
    return _needed(a, "!=", b)


def known(left: Dim, operator: str, right: Dim) -> bool | None:
    """Whether left operator right (==, !=, <=, <, >=, >) is proved by what is known, refuted, or
    open; nothing is assumed."""
    difference, operator = compared(left, operator, right)
    quick, collector = by_intervals(difference, operator), _COLLECTOR.get()
    if quick is not None:
        return quick
    if collector is None:
        return decide(difference, operator).value
    return collector.knows(relation(difference, operator, 0))


def _needed(left: Dim, operator: str, right: Dim) -> bool:
    difference, operator = compared(left, operator, right)
    quick, collector = by_intervals(difference, operator), _COLLECTOR.get()
    if quick or collector is None:
        return quick is not False
    return collector.needs(relation(difference, operator, 0) if quick is None else False)
