"""The training graph: losses, their gradients and the optimisers' updates in one graph, which is
checked, planned and run like any other.

Names that a model cannot have begin with or hold "@": the learning rate of the i-th `minimize` is
the input `@rate.i`, another number of its formula that follows a schedule `@weight_decay.i`, the
count of steps the variable `@step`, an optimiser's memory `stem.conv.weight@velocity`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from netdsl.autodiff import differentiate
from netdsl.diagnostics import Refused, Report
from netdsl.ir.graph import Emitter, Graph, Initializer, Node, Value, Variable
from netdsl.ir.program import Minimize, TrainProgram
from netdsl.ir.tensor import TensorType
from netdsl.ops.constant import full
from netdsl.ops.elementwise import Term, add
from netdsl.ops.guard import finite
from netdsl.rewrite.phases import settled
from netdsl.rewrite.rebuild import prune, rebuild
from netdsl.training.coverage import Coverage
from netdsl.training.norms import clipped, with_norms
from netdsl.training.optimizers import Optimizer
from netdsl.training.schedules import Schedule
from netdsl.training.steps import bind_steps
from netdsl.training.unexecuted import unexecuted

STEP = "@step"
NUMBER = TensorType("f64", ())  # of an optimiser's formula


def rate_input(number: int) -> str:
    """The input that holds the learning rate of a step's `minimize`, counted from 0."""
    return number_input("rate", number)


def number_input(name: str, number: int) -> str:
    """The input that holds what a number of an optimiser's formula is in this step."""
    return f"@{name}.{number}"


@dataclass(frozen=True, eq=False)
class StepPlan:
    """What a program trains: `slice` is what its losses need, frozen layers in inference mode.
    `clip` is the largest norm of a gradient; `norms` asks for those of the layers; a step takes
    `passes` over equal parts of its batch."""

    slice: Graph
    minimize: tuple[Minimize, ...]
    optimizers: tuple[Optimizer, ...]
    coverage: Coverage
    clip: float | None = None
    norms: bool = False
    passes: int = 1

    def losses(self) -> dict[str, list[str]]:
        """The parameters that each minimised loss trains; one backward pass serves them all."""
        shared: dict[str, list[str]] = {}
        for each, names in zip(self.minimize, self.coverage.trained):
            shared.setdefault(each.loss, []).extend(names)
        return shared


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
    clip = program.settings.get("clip")
    return StepPlan(settled, only.step.minimize, only.optimizers, only.coverage,
                    None if clip is None else float(clip),
                    passes=program.settings.get("accumulate", 1))


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
    the next value of everything that moves among its updates. Losses stay, guarded: the step ends
    with NotFinite before it moves a parameter. With `plan.norms` the metrics are the norms of the
    gradients by layer, before they are clipped."""
    graph = guarded(plan.slice)
    for loss, trained in plan.losses().items():
        graph = differentiate(graph, [loss], trained)
    return descended(graph, plan)


def descended(graph: Graph, plan: StepPlan) -> Graph:
    """The graph whose gradients have become updates of everything that a step moves once."""
    if plan.norms:
        graph = with_norms(graph)
    if plan.clip is not None:
        graph = clipped(graph, plan.clip)
    return _follow(_updated(*_counted(graph), plan))


def guarded(graph: Graph) -> Graph:
    """The graph whose losses are looked at before anything is made of them."""
    emit = Emitter()
    losses = {name: emit(finite, loss, name=name) for name, loss in graph.losses.items()}
    return replace(graph, nodes=(*graph.nodes, *emit.nodes), losses=losses)


def _counted(graph: Graph) -> tuple[Graph, Value]:
    """The graph with a count of steps, and the number of this one, from 1."""
    counter = _variable(STEP, TensorType("i64", ()))
    emit = Emitter()
    step = emit(add, counter.value, emit(full, value=1, dtype="i64"))
    counted = replace(
        graph, nodes=(*graph.nodes, *emit.nodes), variables={**graph.variables, STEP: counter},
        updates={**graph.updates, STEP: step},
    )
    return counted, step


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


def _updated(graph: Graph, step: Value, plan: StepPlan) -> Graph:
    """The graph in which its gradients have become updates of their parameters."""
    owner = {name: i for i, names in enumerate(plan.coverage.trained) for name in names}
    inputs, variables, updates = dict(graph.inputs), dict(graph.variables), dict(graph.updates)
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    numbers = _numbers(emit, inputs, {i: plan.optimizers[i] for i in sorted(set(owner.values()))})
    for name, gradient in graph.gradients.items():
        parameter, optimizer = graph.variables[name], plan.optimizers[owner[name]]
        memory = {
            slot: _variable(f"{name}@{slot}", parameter.type, begin)
            for slot, begin in optimizer.slots.items()
        }
        emit.path, emit.span = name.rpartition(".")[0], parameter.span
        updates[name], following = optimizer.update(
            emit, parameter.value, gradient, numbers[owner[name]], step,
            {slot: variable.value for slot, variable in memory.items()},
        )
        for slot, variable in memory.items():
            variables[variable.name], updates[variable.name] = variable, following[slot]
    return replace(
        graph, nodes=tuple(emit.nodes), inputs=inputs, variables=variables, updates=updates,
        gradients={},
    )


def _numbers(
    emit: Emitter, inputs: dict[str, Value], optimizers: Mapping[int, Optimizer]
) -> dict[int, dict[str, Value]]:
    """The numbers of each optimiser's formula as f64[]: those that follow a schedule become
    inputs, the others are constants."""
    constant = cache(lambda number: emit(full, value=number, dtype=NUMBER.dtype))
    made: dict[int, dict[str, Value]] = {}
    for place, optimizer in optimizers.items():
        made[place] = {}
        for name, number in optimizer.numbers().items():
            if isinstance(number, Schedule):
                fed = number_input(name, place)
                inputs[fed] = made[place][name] = _leaf(fed, NUMBER)
            else:
                made[place][name] = constant(number)
    return made


def schedules_of(plan: StepPlan) -> dict[str, Schedule]:
    """What every step works out anew, by its input of the training graph."""
    return {
        number_input(name, place): number
        for place, optimizer in enumerate(plan.optimizers)
        for name, number in optimizer.numbers().items() if isinstance(number, Schedule)
    }


def argument_names(plan: StepPlan) -> dict[str, str]:
    """How people call what every step works out anew, by its input of the training graph: `lr`,
    `beta1`; where several losses are minimised `ce.lr`, and `ce.2.lr` the second time."""
    losses, prefixes = [each.loss for each in plan.minimize], []
    for place, loss in enumerate(losses):
        turn = losses[:place].count(loss)
        prefixes.append(f"{loss}.{turn + 1}." if turn else f"{loss}.")
    shared = [""] if len(losses) == 1 else prefixes
    return {
        number_input(name, place): shared[place] + ("lr" if name == "rate" else name)
        for place, optimizer in enumerate(plan.optimizers)
        for name, number in optimizer.numbers().items() if isinstance(number, Schedule)
    }


def _variable(name: str, type: TensorType, begin: float = 0.0) -> Variable:
    return Variable(name, "slot", _leaf(name, type), Initializer("constant", (begin,)))


def _leaf(name: str, type: TensorType) -> Value:
    return Value(type, name=name)

