"""The training graph: losses, their gradients and the optimisers' updates in one graph, which is
checked, planned and run like any other.

Names that a model cannot have begin with or hold "@": the learning rate of the i-th `minimize` is
the input `@rate.i`, the count of steps the variable `@step`, an optimiser's memory
`stem.conv.weight@momentum`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from netdsl.autodiff import differentiate
from netdsl.diagnostics import Refused, Report
from netdsl.ir.graph import Emitter, Graph, Initializer, Node, Value, Variable
from netdsl.ir.program import Minimize, TrainProgram
from netdsl.ir.tensor import TensorType
from netdsl.ops.constant import full
from netdsl.ops.elementwise import Term, add
from netdsl.rewrite.phases import settled
from netdsl.rewrite.rebuild import prune, rebuild
from netdsl.training.coverage import Coverage
from netdsl.training.optimizers import Optimizer
from netdsl.training.steps import bind_steps
from netdsl.training.unexecuted import unexecuted

STEP = "@step"


def rate_input(number: int) -> str:
    """The input that holds the learning rate of a step's `minimize`, counted from 0."""
    return f"@rate.{number}"


@dataclass(frozen=True, eq=False)
class StepPlan:
    """What a program trains: `slice` is what its losses need, frozen layers in inference mode."""

    slice: Graph
    minimize: tuple[Minimize, ...]
    optimizers: tuple[Optimizer, ...]
    coverage: Coverage


def plan_training(graph: Graph, program: TrainProgram, report: Report) -> StepPlan | None:
    """The plan of a program for a whole model, or None with the reasons in `report`."""
    steps = bind_steps(graph, program, report)
    if steps is None:
        return None
    for problem in unexecuted(program, steps):
        report.add(problem)
    if report.has_errors:
        return None
    only = steps[0]
    settled = settle_frozen(only.slice, program, only.coverage.frozen)
    return StepPlan(settled, only.step.minimize, only.optimizers, only.coverage)


def settle_frozen(graph: Graph, program: TrainProgram, frozen: frozenset[str]) -> Graph:
    """The graph with frozen layers in inference mode: dropout gone, statistics fixed. These are
    the nodes under a label path after `freeze`, and those whose parameters are all frozen."""
    if not frozen:
        return graph
    held = {graph.variables[name].value for name in frozen}
    parameters = {variable.value for variable in graph.parameters.values()}
    patterns = [pattern for pattern in program.freeze if not pattern.is_rest]

    def where_frozen(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        own = {value for value in node.inputs if value in parameters}
        below = any(pattern.covers(node.path) for pattern in patterns)
        return settled(node, inputs, emit) if below or (own and own <= held) else None

    fixed = rebuild(graph, where_frozen)
    moving = {n: v for n, v in fixed.updates.items() if v is not fixed.variables[n].value}
    return prune(replace(fixed, updates=moving))


def training_graph(graph: Graph, program: TrainProgram) -> Graph:
    """The training graph of a whole model. Raises Refused for a program that does not fit it."""
    report = Report()
    plan = plan_training(graph, program, report)
    if plan is None:
        raise Refused(*report.problems)
    return planned_graph(plan)


def planned_graph(plan: StepPlan) -> Graph:
    """The slice with learning rates among its inputs, slots and step count among its variables, and
    the next value of everything that moves among its updates. Losses stay."""
    graph = plan.slice
    counter = _variable(STEP, TensorType("i64", ()))
    emit = Emitter()
    step = emit(add, counter.value, emit(full, value=1, dtype="i64"))
    graph = replace(
        graph,
        nodes=(*graph.nodes, *emit.nodes),
        variables={**graph.variables, STEP: counter},
        updates={**graph.updates, STEP: step},
    )
    for loss in dict.fromkeys(each.loss for each in plan.minimize):
        graph = _descend(graph, plan, loss, step)
    return _follow(graph)


def _follow(graph: Graph) -> Graph:
    """The graph with the updates of copies, which follow what their sources have become."""
    emit, updates = Emitter(), dict(graph.updates)
    for name, copy in graph.copies.items():
        source = updates.get(copy.source, graph.variables[copy.source].value)
        if copy.decay is None:
            updates[name] = source
            continue
        emit.path = name.rpartition(".")[0]
        old, decay = Term(emit, graph.variables[name].value), Term(emit, copy.decay)
        updates[name] = (decay * old + (1 - decay) * Term(emit, source)).value
    return replace(graph, nodes=(*graph.nodes, *emit.nodes), updates=updates, copies={})


def _descend(graph: Graph, plan: StepPlan, loss: str, step: Value) -> Graph:
    """The graph with the updates of every `minimize` of one loss: they share a backward pass."""
    numbers = [i for i, each in enumerate(plan.minimize) if each.loss == loss]
    trained = {name: i for i in numbers for name in plan.coverage.trained[i]}
    graph = differentiate(graph, [loss], trained)
    rates = {rate_input(i): _leaf(rate_input(i), TensorType("f32", ())) for i in numbers}
    variables, updates = dict(graph.variables), dict(graph.updates)
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    for name, number in trained.items():
        parameter, optimizer = graph.variables[name], plan.optimizers[number]
        memory = {slot: _variable(f"{name}@{slot}", parameter.type) for slot in optimizer.slots}
        emit.path, emit.span = name.rpartition(".")[0], parameter.span
        updates[name], following = optimizer.update(
            emit, parameter.value, graph.gradients[name], rates[rate_input(number)], step,
            {slot: variable.value for slot, variable in memory.items()},
        )
        for slot, variable in memory.items():
            variables[variable.name], updates[variable.name] = variable, following[slot]
    return replace(
        graph, nodes=tuple(emit.nodes), inputs={**graph.inputs, **rates}, variables=variables,
        updates=updates, gradients={},
    )


def _variable(name: str, type: TensorType) -> Variable:
    return Variable(name, "slot", _leaf(name, type), Initializer("zeros"))


def _leaf(name: str, type: TensorType) -> Value:
    return Value(type, name=name)

