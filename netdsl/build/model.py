"""A model: attributes and overrides, inputs, body, results, and the graph they make."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from netdsl.build.body import bind_name, run
from netdsl.build.builder import Builder, deep_stack, uncollected
from netdsl.build.construct import Given, bind, declared_attributes
from netdsl.build.copies import link_copies
from netdsl.build.evaluate import evaluate
from netdsl.build.explain.ways import of_mean
from netdsl.build.foresight import Foresight
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.labels import Labels
from netdsl.build.penalties import examine_penalties
from netdsl.build.states import warn_of_constants
from netdsl.build.types import tensor_type
from netdsl.build.values import UNKNOWN, ModelDefinition, Module, described
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.evaluation import UnknownArgument, WrongKind
from netdsl.diagnostics.names import (
    DeadParameters,
    NeverApplied,
    NothingAsked,
    Recursive,
    Redeclared,
    UnknownName,
    UnusedInput,
)
from netdsl.diagnostics.shapes import LossNotScalar, RandomInference
from netdsl.ir.assumptions import collecting
from netdsl.ir.graph import Graph, Value, Variable
from netdsl.ir.tensor import INTEGERS, TensorType
from netdsl.language import ast
from netdsl.language.parser import parse_expression
from netdsl.rewrite.phases import infer
from netdsl.rewrite.rebuild import needed, prefixes
from netdsl.source import Source, Span

MOST_PRESETS = 100  # on each other
MOST_INPUTS = 1000  # of one list


@dataclass(eq=False)
class Interface:
    """What a model offers to the outside, as its statements declare it."""

    inputs: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    losses: dict[str, Value] = field(default_factory=dict)
    metrics: dict[str, Value] = field(default_factory=dict)
    places: dict[tuple[str, str], Span] = field(default_factory=dict)
    failed: bool = False  # something could not be built: what it would use looks unused

    def declare(self, b: Builder, node: ast.Input | ast.Result, frame: Frame) -> None:
        role = "input" if isinstance(node, ast.Input) else node.role
        first = self.places.setdefault((role, node.name.id), node.name.span)
        if first is not node.name.span:
            b.complain(Redeclared, node.name.span, node.name.id, first)
        elif role == "input":
            self._input(b, node, frame)
        else:
            self._result(b, node, frame)

    def _input(self, b: Builder, node: ast.Input, frame: Frame) -> None:
        name = node.name.id
        type = tensor_type(b, node.type, frame, declares=True)
        names = (name,) if node.count is None else _listed_inputs(b, node, frame)
        if type is None or names is None:
            frame.bind(name, UNKNOWN)
            self.failed = True
            return
        b.check_size(type, node.span)
        limits = None if node.range is None else _range_of(b, node, type, frame)
        values = [Value(type, name=each) for each in names]
        b.declared.update((value, (node, frame)) for value in values)
        for each, value in zip(names, values):
            self.inputs[each] = b.named[each] = value
            self.places["input", each] = node.name.span
            if limits is not None:
                b.ranges[value] = limits
        frame.bind(name, values[0] if node.count is None else values)

    def _result(self, b: Builder, node: ast.Result, frame: Frame) -> None:
        name = node.name.id
        if node.value is not None:
            bind_name(b, frame, name, evaluate(b, node.value, frame), node.value)
        value = frame.find(name)
        if value is NOTHING:
            b.complain(UnknownName, node.name.span, name, frame.visible())
            value = UNKNOWN
        if value is UNKNOWN:
            self.failed = True
            return
        if not isinstance(value, Value):
            b.complain(WrongKind, node.name.span, described(value), "a tensor")
            return
        if node.role != "output" and value.shape:
            b.complain(LossNotScalar, node.value.span, node.role, name, str(value.type),
                       of_mean(node.value.span, value.type.is_float))
            return
        if node.role == "loss" and not value.type.is_float:
            b.complain(WrongKind, node.value.span, described(value), "a float tensor",
                       "a loss has a gradient: cast with `f32(…)`")
            return
        into = {"output": self.outputs, "loss": self.losses, "metric": self.metrics}[node.role]
        into[name] = value


def _listed_inputs(b: Builder, node: ast.Input, frame: Frame) -> tuple[str, ...] | None:
    """The names `crop.0`, `crop.1`, … of `input crop[n]`; None after reporting."""
    count = evaluate(b, node.count, frame)
    if count is UNKNOWN:
        return None
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_INPUTS:
        b.complain(WrongKind, node.count.span, described(count),
                   f"a whole number from 1 to {MOST_INPUTS:,}")
        return None
    return tuple(f"{node.name.id}.{i}" for i in range(count))


def _range_of(
    b: Builder, node: ast.Input, type: TensorType, frame: Frame
) -> tuple[int, int] | None:
    """The range of an integer input: low, high without the end; None after reporting."""
    limits = evaluate(b, node.range, frame)
    if type.dtype not in INTEGERS:
        b.complain(WrongKind, node.range.span, f"a range of {type.dtype}", "an integer input",
                   "`i64[B] in 0..10`")
    elif isinstance(limits, range):
        return limits.start, limits.stop
    elif limits is not UNKNOWN:
        b.complain(WrongKind, node.range.span, described(limits), "a range such as 0..10")
    return None


@uncollected()
def build_model(
    definition: ModelDefinition, report: Report, overrides: dict[str, str] | None = None
) -> Graph | None:
    """The graph of a model, all phases in one; None when `report` holds errors.

    `overrides` gives attributes as text, as `-D name=value` does. Raises Refused at a bound.
    """
    told, work = len(report.problems), definition.module.work
    b = Builder(definition.name, report, work)
    graph = _built(b, definition, overrides or {})
    if not b.foreseen.missed_any(b.instances, b.variables):
        return graph
    report.forget(told)
    foreseen = Foresight(b.instances, b.variables)
    again = Builder(definition.name, report, work, foreseen)
    return _built(again, definition, overrides or {})


def _built(
    b: Builder, definition: ModelDefinition, overrides: dict[str, str]
) -> Graph | None:
    """One pass over the model; None after reporting."""
    b.work.begin(definition.span)
    root = lineage(definition)[-1]
    with deep_stack(), collecting(b.assumptions):
        attributes = _attributes(b, definition, root, overrides)
        if attributes is None:
            return None
        interface = Interface()
        frame = Frame(root.module, Labels(""), interface=interface, names=attributes)
        run(b, root.declaration.body, frame)
    b.foreseen.tell_missed(b)
    copies = link_copies(b)
    graph = Graph(
        name=definition.name, nodes=tuple(b.emitter.nodes), inputs=interface.inputs,
        variables=b.variables, outputs=interface.outputs, losses=interface.losses,
        metrics=interface.metrics, updates=b.updates, copies=copies, names=b.named, key=b.key,
        layers=tuple(b.layers), ranges=b.ranges_of(interface.inputs),
        besides=b.besides_of(interface.inputs),
        assumptions=b.assumptions.listed(),
    )
    if not b.errors and not interface.failed:
        _examine(b, graph, interface, definition)
    return None if b.errors or interface.failed else graph


def lineage(definition: ModelDefinition) -> list[ModelDefinition]:
    """A model, the one it is a preset of, and so on. It ends at a model with a body, unless one
    is missing, comes back or more than MOST_PRESETS stand on each other."""
    line = [definition]
    while len(line) <= MOST_PRESETS:
        base = base_of(line[-1])
        if base is None or base in line:
            break
        line.append(base)
    return line


def base_of(definition: ModelDefinition) -> ModelDefinition | None:
    """The model that a preset fills in; None for a model with a body, or without a base."""
    if not isinstance(definition.declaration, ast.Preset):
        return None
    target = definition.declaration.value
    target = target.callee if isinstance(target, ast.Construct) else target
    names: Any = definition.module.names
    if isinstance(target, ast.Member) and isinstance(target.target, ast.Name):
        module = names.get(target.target.id)
        found = module.names.get(target.name) if isinstance(module, Module) else None
    else:
        found = names.get(target.id) if isinstance(target, ast.Name) else None
    return found if isinstance(found, ModelDefinition) else None


def _attributes(
    b: Builder, definition: ModelDefinition, root: ModelDefinition, overrides: dict[str, str]
) -> dict[str, Any] | None:
    """The attributes of the model at the root of a definition, through its presets; what is given
    further out wins. None after reporting."""
    line = lineage(definition)
    if not isinstance(root.declaration, ast.ModelDeclaration):
        _no_root(b, line)
        return None
    names = tuple(attribute.name.id for attribute in root.declaration.attributes)
    for name, text in overrides.items():
        if name not in names:
            span = Span(Source("attributes", f"{name}={text}"), 0, len(name))
            b.complain(UnknownArgument, span, definition.name, name, names, noun="attribute")
    if not overrides.keys() <= set(names):
        return None
    given = [_override(b, definition.module, *item) for item in overrides.items()]
    chosen = bind(b, definition.name, names, given)
    for preset in line[:-1]:
        frame = Frame(preset.module, Labels("", "none"), creates=False)
        own = [
            Given(a.name, evaluate(b, a.value, frame), a.value.span, a.span)
            for a in getattr(preset.declaration.value, "arguments", ())
        ]
        bound = bind(b, root.name, names, own)
        chosen = None if chosen is None or bound is None else {**bound, **chosen}
    if chosen is None:
        return None
    return declared_attributes(
        b, definition.name, root.declaration.attributes, root.module, chosen,
        definition.declaration.name.span,
    )


def _no_root(b: Builder, line: list[ModelDefinition]) -> None:
    """Why the presets do not lead to a model."""
    last = line[-1]
    value = last.declaration.value
    base = base_of(last)
    if base is None:
        b.complain(WrongKind, value.span, f"`{value.span.text}`", "a model with its attributes")
    elif base in line:
        b.complain(Recursive, last.declaration.name.span, last.name)
    else:
        b.stop(value.span, "presets on presets", MOST_PRESETS)


def _override(b: Builder, module: Module, name: str, text: str) -> Given:
    """`-D name=value`: the value is an expression, read with the names of the model's file."""
    source = Source(f"-D {name}", text)
    try:
        expr = parse_expression(source)
    except Refused as refusal:
        for problem in refusal.problems:
            b.add(problem)
        return Given(name, UNKNOWN, Span(source, 0, len(text)))
    frame = Frame(module, Labels("", "none"), creates=False)
    return Given(name, evaluate(b, expr, frame), expr.span)


def _examine(
    b: Builder, graph: Graph, interface: Interface, definition: ModelDefinition
) -> None:
    """What can only be said of the whole: unused inputs, instances, randomness."""
    followed = {copy.source.path for copy in b.copied.values()}
    for instance in b.instances.values():
        if not instance.uses:
            b.complain(NeverApplied, instance.span, instance.path, instance.path in followed)
    if not graph.outputs and not graph.losses:
        b.complain(NothingAsked, definition.span, definition.name)
        return
    _, live = needed(graph.nodes, graph.results())
    for name, value in graph.inputs.items():
        if value not in live:
            b.complain(UnusedInput, interface.places["input", name], name)
    _dead_parameters(b, graph)
    owners = {path for name in b.variables for path in prefixes(name)}
    by_position = [each for each in b.by_position if each.path in owners]
    if by_position:
        first, *more = {each.span: each for each in by_position}.values()
        b.add(replace(first, more=tuple(more)))
    warn_of_constants(b)
    examine_penalties(b)
    draws = graph.key is not None and infer(graph).key is not None
    for name in graph.outputs if draws else ():
        if infer(replace(graph, outputs={name: graph.outputs[name]})).key is not None:
            b.complain(RandomInference, interface.places["output", name], name)


def _dead_parameters(b: Builder, graph: Graph) -> None:
    """Warn of parameters that nothing needs: of a layer at once where all of its own are."""
    roots = (*graph.outputs.values(), *graph.losses.values())
    _, live = needed(graph.nodes, roots)
    owners: dict[str, list[Variable]] = {}
    for name, variable in graph.parameters.items():
        owners.setdefault(name.rpartition(".")[0], []).append(variable)
    for owner, own in owners.items():
        dead = [variable for variable in own if variable.value not in live]
        if owner and len(dead) == len(own):
            b.complain(DeadParameters, dead[0].span, f"the parameters of `{owner}`")
            continue
        for variable in dead:
            b.complain(DeadParameters, variable.span, f"the parameter `{variable.name}`")
