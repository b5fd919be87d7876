"""A step in several passes over parts of its batch, equal to one pass over the whole: gradients are
added up, and parameters move once.

Where the loss couples the rows (a contrastive loss, a mean weighted by the rows), the passes work
on the row-wise part of the graph, and the coupled part sees all rows at once (rewrite/rows.py; the
gradient cache of Gao et al. 2021). One step:

    known     draws and the like, for the whole batch
    collect   pass by pass forward: what of the frontier the gradients of the coupled part rest on
    couple    the coupled part, for the whole batch: gradients of the losses for the frontier
    descend   pass by pass forward and backward: gradients for the parameters, added up in order;
              batch norm's statistics; what of the frontier has not been collected yet
    conclude  the coupled part again where it waited for the rest: losses, next states
    update    optimisers, copies and states, once

A mean over rows needs no `collect`: its gradient is 1 / n whatever the rows are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from netdsl.autodiff import depending, pull_back
from netdsl.backends.numpy import Program, Results, compile_program
from netdsl.backends.numpy.feed import sizes_of
from netdsl.backends.numpy.program import BoundProgram, aligned
from netdsl.backends.numpy.runner import run_bound
from netdsl.backends.numpy.workers import available_lanes
from netdsl.diagnostics import Refused
from netdsl.diagnostics.passes import FixedRows
from netdsl.diagnostics.program import BatchNotDivisible
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Emitter, Graph, Initializer, Value, Variable
from netdsl.ops.constant import full
from netdsl.ops.elementwise import add
from netdsl.rewrite.rebuild import needed, prune
from netdsl.rewrite.rows import PART, coupled_graph, known_graph, row_graph, split_rows
from netdsl.rewrite.specialize import specialize
from netdsl.training.graph import StepPlan, descended, guarded
from netdsl.training.passes import leading_symbols

Arrays = dict[str, np.ndarray]
Key = tuple[int, int]


class Accumulation:
    """Runs the steps of a plan in its passes. `graph` is the training graph of the plan; the arrays
    of `variables` are kept by reference and updated in place."""

    def __init__(self, plan: StepPlan, graph: Graph, variables: Mapping[str, np.ndarray]):
        if not leading_symbols(plan.slice):
            raise Refused(FixedRows(None, ""))
        self.plan, self.graph = plan, graph
        self._gradients = {
            accumulator(name): np.zeros(graph.variables[name].type.shape,
                                        graph.variables[name].type.numpy_dtype)
            for names in plan.losses().values() for name in names
        }
        self._variables = {**variables, **self._gradients}
        self._steps: dict[tuple, _Step] = {}

    def run(self, inputs: Mapping[str, np.ndarray], key: Key) -> Results:
        """One step on a whole batch: its losses, and with `plan.norms` its norms. Raises Refused
        for inputs that do not fit or cannot be shared equally, NotFinite for a loss."""
        fed = {name: np.asarray(array) for name, array in inputs.items()}
        step = self.step(sizes_of(self.graph, fed))
        for array in self._gradients.values():
            array.fill(0)
        return step.run(fed, key)

    def step(self, sizes: Mapping[str, int]) -> _Step:
        """The step for these sizes of the free dimensions, compiled when first asked for."""
        wanted = tuple(sorted(sizes.items()))
        if wanted not in self._steps:
            self._steps.clear()  # their memory is not shared
            self._steps[wanted] = _Step(staged(self.plan, sizes), self._variables)
        return self._steps[wanted]


def accumulator(parameter: str) -> str:
    """The variable in which the gradient of a parameter is added up."""
    return f"{parameter}@gradient"


# ------------------------------------------------------------------ the graphs of a step


@dataclass(frozen=True, eq=False)
class Stages:
    """The graphs of a step by name, without free dimensions; those of a step that needs fewer are
    missing. `axis` tells along which axis what is fed to a pass has its rows, by name; `frontier`
    are the types of what the coupled part reads of the row-wise one."""

    graphs: dict[str, Graph]
    axis: dict[str, int]
    frontier: dict[str, Value]
    passes: int


def staged(plan: StepPlan, sizes: Mapping[str, int]) -> Stages:
    """The stages of a plan. Raises Refused where the passes cannot share the batch equally."""
    leading = leading_symbols(plan.slice)
    batch, rows = leading[0], sizes[leading[0]]
    if rows % plan.passes:
        raise Refused(BatchNotDivisible(None, rows, plan.passes, None))
    # sizes that equal the batch and lead an input may be taken for it: that they agree is all
    # that the split rests on
    same = {name: symbol(batch) for name in leading if sizes[name] == rows}
    slice = specialize(plan.slice, {**sizes, **same})
    split = split_rows(slice, batch)
    trained = (slice.variables[name].value for names in plan.losses().values() for name in names)
    moving = depending(split.graph.nodes, trained)
    wanted = tuple(name for name, value in split.frontier.items() if value in moving)
    coupled = _coupled(guarded(coupled_graph(split)), plan, wanted)
    _, rest_on = needed(coupled.nodes, coupled.gradients.values())
    read = coupled.inputs.keys() & split.frontier.keys()
    early = {name for name in read if coupled.inputs[name] in rest_on}
    late = read - early
    by_rows = row_graph(split)
    graphs = {
        "known": known_graph(split),
        "collect": prune(replace(by_rows, updates={}, outputs=_only(by_rows.outputs, early))),
        "couple": coupled,
        "descend": _descending(by_rows, plan, coupled.gradients, late),
        "update": _moving(replace(plan, slice=slice), coupled.outputs),
    }
    if late:
        graphs["couple"] = prune(replace(coupled, losses={}, outputs={}, updates={}))
        graphs["conclude"] = prune(replace(coupled, gradients={}))
    own = {"collect": rows // plan.passes, "descend": rows // plan.passes}
    fixed = {
        name: specialize(graph, {batch: own.get(name, rows)})
        for name, graph in graphs.items() if any(graph.results())
    }
    whole = specialize(replace(by_rows, updates={}), {batch: rows})
    fed = {**slice.inputs, **split.known, **split.frontier}
    axis = {name: split.axis[value] for name, value in fed.items() if value in split.axis}
    axis |= {flow: split.axis[split.frontier[_of(flow)[1]]] for flow in coupled.gradients}
    return Stages(fixed, axis, whole.outputs, plan.passes)


def _only(values: Mapping[str, Value], names: set[str]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name in names}


def _flow(loss: str, frontier: str) -> str:
    """What the gradient of a loss for a value of the frontier is called: `ce@row.0`."""
    return f"{loss}{frontier}"


def _of(flow: str) -> tuple[str, str]:
    """The loss and the value of the frontier that a gradient is of."""
    loss, at, number = flow.partition("@")
    return loss, at + number


def _coupled(graph: Graph, plan: StepPlan, frontier: tuple[str, ...]) -> Graph:
    """The coupled part with the gradients of each loss for the frontier; those for parameters that
    it reads itself are added to their accumulators."""
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    leaves = {name: graph.inputs[name] for name in frontier if name in graph.inputs}
    gradients, flows = {}, {}
    for loss, trained in plan.losses().items():
        root = graph.losses[loss]
        own = {name: graph.variables[name].value for name in trained if name in graph.variables}
        one = emit(full, value=1.0, shape=root.shape, dtype=root.dtype)
        back = pull_back(emit, {root: one}, (*leaves.values(), *own.values()))
        gradients |= {_flow(loss, n): back[leaf] for n, leaf in leaves.items() if leaf in back}
        flows |= {name: back[value] for name, value in own.items() if value in back}
    graph = replace(graph, nodes=tuple(emit.nodes), gradients=gradients)
    return prune(_added_up(graph, flows))


def _descending(
    graph: Graph, plan: StepPlan, flows: Iterable[str], late: set[str]
) -> Graph:
    """The row-wise part, forward and backward from the gradients that are fed for the frontier."""
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    fed = {flow: Value(graph.outputs[_of(flow)[1]].type, name=flow) for flow in flows}
    found = {}
    for loss, trained in plan.losses().items():
        own = {name: graph.variables[name].value for name in trained if name in graph.variables}
        roots = {graph.outputs[name]: fed[_flow(loss, name)] for name in graph.outputs
                 if _flow(loss, name) in fed}
        back = pull_back(emit, roots, own.values())
        found |= {name: back[value] for name, value in own.items() if value in back}
    graph = replace(graph, nodes=tuple(emit.nodes), inputs={**graph.inputs, **fed},
                    outputs=_only(graph.outputs, late))
    return prune(_added_up(graph, found))


def _added_up(graph: Graph, flows: Mapping[str, Value]) -> Graph:
    """The graph that adds these gradients, by parameter, to their accumulators."""
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    variables, updates = dict(graph.variables), dict(graph.updates)
    for name, flow in flows.items():
        variable = _accumulator(name, graph.variables[name])
        variables[variable.name] = variable
        updates[variable.name] = emit(add, variable.value, flow)
    return replace(graph, nodes=tuple(emit.nodes), variables=variables, updates=updates)


def _accumulator(parameter: str, like: Variable) -> Variable:
    name = accumulator(parameter)
    return Variable(name, "slot", Value(like.type, name=name), Initializer("zeros"))


def _moving(plan: StepPlan, states: Iterable[str]) -> Graph:
    """What moves once: parameters by their accumulated gradients, copies, and the states whose next
    values the coupled part has made; they are fed by the names of the states."""
    graph = plan.slice
    nexts = {name: Value(graph.variables[name].type, name=name) for name in states}
    sums = {name: _accumulator(name, graph.variables[name])
            for names in plan.losses().values() for name in names}
    return prune(descended(replace(
        graph, losses={}, updates=nexts, inputs={**graph.inputs, **nexts},
        variables={**graph.variables, **{each.name: each for each in sums.values()}},
        gradients={name: each.value for name, each in sums.items()},
    ), plan))


# ------------------------------------------------------------------ running them


class _Step:
    """The stages over real memory: one arena, as they run one after another."""

    def __init__(self, stages: Stages, variables: Mapping[str, np.ndarray]):
        self.stages = stages
        self.programs: dict[str, Program] = {
            name: compile_program(graph, available_lanes())
            for name, graph in stages.graphs.items()
        }
        arena = aligned(max(program.arena_bytes for program in self.programs.values()))
        self._bound = {
            name: BoundProgram(program, variables, arena)
            for name, program in self.programs.items()
        }
        self._frontier = {name: np.empty(value.shape, value.type.numpy_dtype)
                          for name, value in stages.frontier.items()}

    @property
    def peak_bytes(self) -> int:
        """Memory that a step needs beyond the variables and the accumulators: the arena of the
        largest stage, constants, and what is handed from stage to stage."""
        handed = [view for program in self.programs.values()
                  for views in program.results.values() for view in views.values()]
        return (
            max(program.arena_bytes for program in self.programs.values())
            + sum(p.peak_bytes - p.arena_bytes for p in self.programs.values())
            + sum(array.nbytes for array in self._frontier.values())
            + sum(view.size * view.dtype.itemsize for view in handed)
        )

    def run(self, fed: Arrays, key: Key) -> Results:
        whole = {**fed, **self._frontier}
        whole |= self._once("known", whole, key).outputs
        self._pass_by_pass("collect", whole, key)
        coupled = self._once("couple", whole, key)
        whole |= coupled.gradients
        self._pass_by_pass("descend", whole, key)
        if "conclude" in self._bound:
            coupled = self._once("conclude", whole, key)
        moved = self._once("update", {**whole, **coupled.outputs}, key)
        return Results({}, coupled.losses, moved.metrics, {})

    def _once(self, stage: str, fed: Arrays, key: Key) -> Results:
        if stage not in self._bound:
            return Results({}, {}, {}, {})
        return run_bound(self._bound[stage], fed, key)

    def _pass_by_pass(self, stage: str, whole: Arrays, key: Key) -> None:
        """One stage on part after part; what it gives of the frontier is put into its rows."""
        if stage not in self._bound:
            return
        axis, passes = self.stages.axis, self.stages.passes
        reads = [name for name in self._bound[stage].inputs if name != PART]
        for number in range(passes):
            part = {
                name: share(whole[name], axis[name], number, passes) if name in axis
                else whole[name] for name in reads
            }
            part[PART] = np.array([*key, number], np.uint64)
            for name, rows in run_bound(self._bound[stage], part, key).outputs.items():
                share(self._frontier[name], axis[name], number, passes)[...] = rows


def share(array: np.ndarray, axis: int, number: int, passes: int) -> np.ndarray:
    """One of equal parts of an axis, as a view."""
    length = array.shape[axis] // passes
    return array[(slice(None),) * axis + (slice(number * length, (number + 1) * length),)]
