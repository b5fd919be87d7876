"""What is being built: nodes, variables, layers and messages, as they come."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from netdsl.build.foresight import Foresight
from netdsl.build.frame import Frame
from netdsl.build.values import Instance, construction
from netdsl.build.work import Work
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.evaluation import TooMuch
from netdsl.diagnostics.names import DuplicateLabel, NameByPosition, ParametersChanged
from netdsl.diagnostics.shapes import HoleFound
from netdsl.ir.assumptions import Assumptions
from netdsl.ir.dim import Dim, Expr, bounds
from netdsl.ir.graph import Emitter, Initializer, Layer, Value, Variable
from netdsl.ir.op import Op, ShapeError
from netdsl.ir.tensor import TensorType
from netdsl.layers.arguments import BadArgument, Hole
from netdsl.ops.random import KEY
from netdsl.rewrite.phases import settled
from netdsl.rewrite.rebuild import prefixes
from netdsl.source import Span

MOST_NODES = 300_000
MOST_TURNS = 100_000  # of all loops together
MOST_STEPS = 1_000_000  # expressions evaluated
APPLICATION = 20  # expressions that the application of a layer counts as
PARTS = 4  # of sizes not known, which count as one expression
MOST_LETTERS = 100_000_000  # of all label paths together
MOST_NESTED = 100  # layers within layers
MOST_ELEMENTS = 2**40  # of one tensor, free dimensions taken as 1
MOST_PROBLEMS = 50  # errors told in one run
MOST_ASSUMPTIONS = 500  # about free dimensions
MOST_FRAMES = 100_000  # of Python: MOST_NESTED layers, each as deep as its syntax may be


class Builder:
    """Collects one model. `name` is the model's, for messages.

    Every bound above ends the work with Refused, whatever else the file says.
    """

    def __init__(
        self, name: str, report: Report, work: Work | None = None,
        foreseen: Foresight | None = None,
    ):
        self.name, self.report = name, report
        self.work = work or Work()
        self.foreseen = foreseen or Foresight()
        self.emitter = Emitter()
        self.assumptions = Assumptions()
        self.variables: dict[str, Variable] = {}
        self.ranges: dict[Value, tuple[int, int]] = {}  # of integer inputs: low..high
        self.besides: dict[Value, frozenset[int]] = {}  # what they may hold beyond
        self.current: dict[str, Value] = {}  # buffers as they are at this point of the pass
        self.updates: dict[str, Value] = {}
        self.layers: list[Layer] = []
        self.named: dict[str, Value] = {}
        self.instances: dict[str, Instance] = {}  # by path
        self.copied: dict[str, Instance] = {}  # of those, the copies
        self.frozen: set[str] = set()  # paths of frozen instances
        self.penalised: list[Any] = []  # see `penalties`
        self.states: dict[Value, str] = {}  # the names of states
        self.next_places: dict[str, Span] = {}  # where each state got its next value
        self.declared: dict[Value, tuple[Any, Frame]] = {}  # by the statement, in this body
        self.skipped: dict[Value, list[tuple[Any, Frame]]] = {}  # it passed by these stages
        self.key: Value | None = None
        self.turns = self.steps = self.letters = 0
        self.trail: list[Instance] = []
        self._used: list[set[str]] = [set()]  # variables asked for, by each instance of the trail
        self._streams: Counter[str] = Counter()
        self._said: set[tuple] = set()
        self.errors = 0  # told so far
        self._disputed: set[str] = set()  # paths that two want: told once
        self.by_position: list[NameByPosition] = []
        self.refused: set[tuple] = set()  # names of operands and the tensors that did not fit

    # -------------------------------------------------------------- messages

    def complain(self, problem: type[Problem], *facts: Any, **more: Any) -> None:
        """Report a problem with where in the instances it happened; the first fact is its place."""
        if (problem.code, facts[0]) not in self._said:
            self._said.add((problem.code, facts[0]))
            self.add(problem(*facts, **more))

    def explain(
        self, problem: type[Problem], place: Span, facts: Callable[..., dict], *known: Any
    ) -> None:
        """The same for a problem whose facts take work: `facts(builder, *known)` gives them by
        name if the message is told."""
        if (problem.code, place) in self._said:
            return
        refuting = self.assumptions.refuting
        with self.assumptions.only_proving():  # what is tried is not assumed
            told = facts(self, *known)
        self.assumptions.refuting = refuting
        self.complain(problem, place, **told)

    def add(self, problem: Problem) -> None:
        """Report a problem that was made elsewhere. Raises Refused when there are too many."""
        marks = problem.describe().marks
        here = marks[0].span.start if marks else None
        trail = self.assumptions.told() + tuple(
            f"in {self.name}.{instance.path} = {construction(instance)}, "
            f"made at {instance.span.source.name}:{instance.span.line}"
            for instance in reversed(self.trail[-3:]) if instance.span.start != here
        )
        self.report.add(replace(problem, trail=trail))
        self.errors += problem.severity == "error"
        if self.errors >= MOST_PROBLEMS:
            self.report.stop_on_errors()

    def dispute(self, path: str, problem: Problem) -> None:
        """Report that the label behind a path cannot stand, and let its variables go without
        mention. That it rests on a position is told at the end, where nothing is wrong."""
        if isinstance(problem, NameByPosition):
            self.by_position.append(problem)
            return
        if problem.severity == "error":
            self._disputed.add(path)
        self.add(problem)

    def stop(self, span: Span, what: str, limit: int) -> None:
        """Raise Refused: a bound is reached."""
        raise Refused(*self.report.problems, TooMuch(span, what, limit))

    # -------------------------------------------------------------- work, counted

    def emit(self, op: Op, inputs: tuple, attributes: dict, path: str, span: Span) -> Any:
        """The output of a new node. Raises ShapeError."""
        if len(self.emitter.nodes) >= MOST_NODES:
            self.stop(span, "operations", MOST_NODES)
        self.count_step(span)
        self.count_letters(path, span)
        self.emitter.path, self.emitter.span = path, span
        if self.assumptions.asker[1:] != (path, span):  # else a word asks, under its own name
            self.asks(op.name, path, span)
        try:
            made = self.emitter(op, *inputs, **attributes)
        except ShapeError as error:
            error.node = op, op.attrs(**attributes), inputs
            raise
        if self.frozen and op.inference is not None and self.is_frozen(path):
            made = self._settled(made)
        for value in made if isinstance(made, tuple) else (made,):
            self.check_size(value.type, span)
        return made

    def _settled(self, made: Value | tuple[Value, ...]) -> Any:
        """What a node's outputs are where nothing is trained."""
        several = isinstance(made, tuple)
        node = (made[0] if several else made).node
        stand_in = settled(node, node.inputs, self.emitter)
        return made if stand_in is None else stand_in if several else stand_in[0]

    def is_frozen(self, path: str) -> bool:
        """Whether a label path lies in a frozen instance."""
        return bool(self.frozen) and not self.frozen.isdisjoint(prefixes(path))

    def copy_at(self, path: str) -> Instance | None:
        """The copy that a label path lies in, if it does."""
        found = (self.copied[p] for p in prefixes(path) if p in self.copied)
        return next(found, None) if self.copied else None

    def check_size(self, type: TensorType, span: Span) -> None:
        """Every tensor passes here before it exists."""
        parts = sum(dim.parts for dim in type.shape if isinstance(dim, Expr))
        self.count_step(span, parts // PARTS)
        if prod(max(0, bounds(dim)[0]) for dim in type.shape) > MOST_ELEMENTS:
            self.stop(span, "elements of one tensor", MOST_ELEMENTS)

    def asks(self, what: str, path: str, span: Span, for_all: bool = False) -> None:
        """See `Assumptions.asks`."""
        self.assumptions.asks(what, path, span, for_all)

    def count_step(self, span: Span, steps: int = 1) -> None:
        """Count the evaluation of an expression."""
        self.steps += steps
        self.work.spent += steps
        if self.steps > MOST_STEPS:
            self.stop(span, "expressions evaluated", MOST_STEPS)
        if len(self.assumptions) > MOST_ASSUMPTIONS:
            self.stop(span, "assumptions about free dimensions", MOST_ASSUMPTIONS)

    def count_turns(self, count: int, span: Span) -> None:
        """Count the turns of a loop before it runs."""
        self.turns += count
        if self.turns > MOST_TURNS:
            self.stop(span, "turns of loops", MOST_TURNS)

    def count_letters(self, path: str, span: Span) -> None:
        """Count a label path that is kept."""
        self.letters += len(path)
        if self.letters > MOST_LETTERS:
            self.stop(span, "letters of label paths", MOST_LETTERS)

    @contextmanager
    def inside(self, instance: Instance) -> Iterator[set[str]]:
        """While an instance is applied. Gives the set in which the names of the variables it
        uses gather."""
        self.count_step(instance.span, APPLICATION)
        if len(self.trail) >= MOST_NESTED:
            self.stop(instance.span, "layers nested", MOST_NESTED)
        self.trail.append(instance)
        self._used.append(set())
        try:
            yield self._used[-1]
        finally:
            self.trail.pop()
            used = self._used.pop()
            self._used[-1] |= used

    # -------------------------------------------------------------- variables

    def variable(
        self, name: str, kind: str, type: TensorType, init: Initializer | Value, span: Span,
        creates: bool,
    ) -> Value:
        """The variable called `name`: made where `creates`, found otherwise. Raises BadArgument
        after the reason was reported."""
        self._used[-1].add(name)
        known = self.variables.get(name)
        creates = creates and not self.foreseen.arrives(name)
        if known is not None and not creates:
            if known.type != type:
                self.complain(ParametersChanged, span, name, str(known.type), str(type))
                raise BadArgument("reported")
            return self.current.get(name, known.value)
        if known is not None:
            if self._disputed.isdisjoint(prefixes(name)):
                self.complain(DuplicateLabel, span, name, known.span)
            raise BadArgument("reported")
        if not creates:
            self.complain(ParametersChanged, span, name, "absent", str(type))
            raise BadArgument("reported")
        self.check_size(type, span)
        self.count_letters(name, span)
        copy = self.copy_at(name)
        if copy is not None and (kind == "parameter" or copy.buffers != "own"):
            kind = "copy"
        trained = not self.is_frozen(name)
        made = Variable(name, kind, Value(type, name=name), init, span, trained)
        self.variables[name] = made
        return made.value

    # -------------------------------------------------------------- ranges of inputs

    def beyond(
        self, value: Value, low: int, high: int, ignored: int | None = None
    ) -> tuple[int, int] | None:
        """See `layers.words.Site`."""
        if value.node is not None:
            return None  # what is computed shows its elements when it runs
        if ignored is not None:
            self.besides[value] = self.besides.get(value, frozenset()) | {ignored}
        known = self.ranges.setdefault(value, (low, high))
        return None if low <= known[0] and known[1] <= high else known

    def ranges_of(self, inputs: Mapping[str, Value]) -> dict[str, tuple[int, int]]:
        """The ranges by the names of the inputs that have one."""
        return {name: self.ranges[v] for name, v in inputs.items() if v in self.ranges}

    def besides_of(self, inputs: Mapping[str, Value]) -> dict[str, frozenset[int]]:
        """What they may hold beyond those."""
        return {name: self.besides[v] for name, v in inputs.items() if v in self.besides}

    # -------------------------------------------------------------- random streams

    def stream_key(self) -> Value:
        """The key of the random streams: one for the whole model."""
        if self.key is None:
            self.key = Value(KEY, name="key")
        return self.key

    def stream(self, path: str) -> str:
        """A stream that nothing else draws from, named by its place: `path`, `path#1`, …"""
        self._streams[path] += 1
        again = self._streams[path] - 1
        return f"{path}#{again}" if again else path


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for garbage meanwhile: of many objects nearly all are kept, and looking through
    them again and again would take as long as making them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def deep_stack() -> Iterator[None]:
    """Room for the recursion of an evaluation; MOST_NESTED and the parser's bound on nesting keep
    it below."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, MOST_FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@dataclass(eq=False)
class BuildSite:
    """Where a word is applied (see `layers.words.Site`)."""

    builder: Builder
    frame: Frame
    path: str
    span: Span
    creates: bool = True
    float_type: str = "f32"

    def emit(self, op: Op, *inputs: Value | None, **attributes) -> Any:
        return self.builder.emit(op, inputs, attributes, self.path, self.span)

    def parameter(self, name: str, shape: tuple[int, ...], init: Initializer) -> Value:
        return self._variable("parameter", name, shape, init)

    def buffer(self, name: str, shape: tuple[int, ...], init: Initializer) -> Value:
        return self._variable("buffer", name, shape, init)

    def update(self, name: str, value: Value) -> None:
        full = f"{self.path}.{name}" if self.path else name
        b = self.builder
        if b.variables[full].kind == "buffer" and not b.is_frozen(full):
            b.current[full] = b.updates[full] = value

    def key(self) -> Value:
        return self.builder.stream_key()

    def stream(self) -> str:
        return self.builder.stream(self.path)

    def found(self, hole: Hole, axis: int, dim: Dim) -> None:
        self.builder.complain(HoleFound, hole.place, axis, str(dim))

    def beyond(
        self, value: Value, low: int, high: int, ignored: int | None = None
    ) -> tuple[int, int] | None:
        return self.builder.beyond(value, low, high, ignored)

    def _variable(self, kind: str, name: str, shape: tuple, init: Initializer) -> Value:
        full = f"{self.path}.{name}" if self.path else name
        type = TensorType(self.float_type, shape)
        return self.builder.variable(full, kind, type, init, self.span, self.creates)
