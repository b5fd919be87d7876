"""One training step after another: weights, optimiser memory, and the graph that moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from netdsl.backends.numpy import Runner
from netdsl.backends.numpy.limits import NARROWER, bytes_of, check_memory
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.training import FreeState, LossNotFinite, WrongSeed
from netdsl.ir.graph import Graph
from netdsl.ir.op import NotFinite
from netdsl.ir.program import Reference, TrainProgram
from netdsl.layers.initializers import initial, initialize
from netdsl.training.accumulate import Accumulation
from netdsl.training.graph import (
    STEP,
    argument_names,
    plan_training,
    planned_graph,
    schedules_of,
)
from netdsl.training.judge import Judge, judge_by
from netdsl.training.nonfinite import culprit
from netdsl.training.scheduled import scheduled_inputs
from netdsl.training.schedules import Constant, Plateau
from netdsl.weights import fit

Arrays = dict[str, np.ndarray]
SEEDS = 2**63  # seeds lie below: they are keys of 64 bits, and JSON and int64 hold them


class Trainer:
    """A model in training.

    `graph` is the whole model. `weights` hold every parameter and buffer by name and are copied;
    None: freshly initialised from `seed`, which also seeds dropout. Schedules count epochs of
    `steps_per_epoch` steps, `epochs` of them (None: as the program says); without
    `steps_per_epoch` they stay where they begin. With `norms` every step measures the norm of each
    layer's gradient, before it is clipped. Raises Refused for a program or weights that do not fit.
    """

    def __init__(
        self,
        graph: Graph,
        program: TrainProgram,
        weights: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
        *,
        steps_per_epoch: int | None = None,
        epochs: int | None = None,
        norms: bool = False,
    ):
        if not 0 <= seed < SEEDS:
            raise Refused(WrongSeed(seed, SEEDS))
        report = Report()
        plan = plan_training(graph, program, report)
        for variable in graph.variables.values():
            if variable.type.symbols:
                report.add(FreeState(variable.span, variable.name, str(variable.type)))
        if plan is None or report.has_errors:
            raise Refused(*report.problems)
        self.seed = seed
        plan = replace(plan, norms=norms)
        self.graph = planned_graph(plan)
        self.norms: dict[str, float] = {}
        self._whole = graph
        inputs = scheduled_inputs(graph, program.feeds)
        self._inputs = tuple(inputs)
        self._begun = {**schedules_of(plan), **inputs}
        self.argument_names = argument_names(plan)
        self._schedules = self._begun
        self._per_epoch = steps_per_epoch or 0
        self._steps = self._per_epoch * (program.epochs if epochs is None else epochs)
        check_memory("what is trained and remembered",
                     bytes_of(v.type for v in self.graph.variables.values()), NARROWER)
        if weights is None:
            weights = initialize(graph, seed)
        slots = {name: v for name, v in self.graph.variables.items() if v.kind == "slot"}
        self._model, self._declared = tuple(graph.variables), {**graph.variables, **slots}
        begun = {name: initial(slot, seed) for name, slot in slots.items()}
        given = fit(weights, graph.variables, "the weights")
        self._variables: Arrays = {
            name: np.array(array, order="C") for name, array in {**given, **begun}.items()
        }
        self._runner = (
            Runner(self.graph, self._variables) if plan.passes == 1
            else Accumulation(plan, self.graph, self._variables)
        )
        self._places = {each.loss: each.span for each in plan.minimize}
        self._given = self.step_count  # the weights are still those that it was given

    @property
    def step_count(self) -> int:
        """Steps made so far."""
        return int(self._variables[STEP])

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the parameters and buffers."""
        return self._model

    @property
    def weights(self) -> Arrays:
        """Copies of the parameters and buffers by name, as they are now."""
        return {name: self._variables[name].copy() for name in self._model}

    @property
    def state(self) -> Arrays:
        """Copies of all that training goes on from: weights, optimiser memory, step count."""
        return {name: array.copy() for name, array in self._variables.items()}

    @property
    def variables(self) -> Mapping[str, np.ndarray]:
        """The arrays of `state` themselves, which every step changes in place: for measuring."""
        return self._variables

    def restore(self, state: Mapping[str, np.ndarray], origin: str = "the state") -> None:
        """Go on from an earlier `state`. Raises Refused when it is of another model or program."""
        for name, array in fit(state, self._declared, origin).items():
            self._variables[name][...] = array
        self._given = self.step_count

    def heed(self, figures: Mapping[str, Sequence[float]]) -> None:
        """Take note of what validation has measured after each epoch so far, by name: for the
        schedules that go by it."""

        def measured(plateau: Plateau) -> tuple[Judge, Sequence[float]]:
            judge = judge_by(self._whole, plateau.figure, plateau.better)
            return judge, figures.get(judge.figure, ())

        self._schedules = {name: each.after(measured) for name, each in self._begun.items()}

    def rates(self) -> dict[str, float]:
        """The learning rates of the next step, and what other arguments of the optimisers then
        are that follow a schedule, by the names of `argument_names`."""
        numbers = self.numbers()
        return {name: numbers[fed] for fed, name in self.argument_names.items()}

    @property
    def heeded(self) -> tuple[Reference, ...]:
        """The figures of validation that schedules go by."""
        return tuple(plateau.figure for each in self._begun.values() for plateau in each.heeded())

    @property
    def changing(self) -> tuple[str, ...]:
        """Those of the `rates` that do not stay as they are."""
        return tuple(name for fed, name in self.argument_names.items()
                     if not isinstance(self._begun[fed], Constant))

    def numbers(self) -> dict[str, float]:
        """What schedules say for the next step, by input of the graph."""
        if not self._per_epoch:
            return {name: each.beginning for name, each in self._schedules.items()}
        step = min(self.step_count, max(self._steps - 1, 0))  # past the end the last one stays
        return {
            name: each.value(step, self._steps, self._per_epoch)
            for name, each in self._schedules.items()
        }

    def scheduled(self) -> Arrays:
        """The inputs of the model that follow a schedule, as they are for the next step."""
        numbers = self.numbers()
        return {name: np.asarray(numbers[name], self._whole.inputs[name].type.numpy_dtype)
                for name in self._inputs}

    def step(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
        """One step on a batch of model inputs by name; those that no minimised loss needs may be
        there too, those that follow a schedule need not. Returns the minimised losses before the
        step; `norms` are then those of its gradients. Raises Refused for inputs that do not fit,
        and for a loss that is not finite: then no parameter has moved."""
        fed = {name: array for name, array in batch.items() if name in self.graph.inputs}
        for name, number in self.numbers().items():
            if name in self.graph.inputs:
                fed.setdefault(name, np.asarray(number, self.graph.inputs[name].type.numpy_dtype))
        key = (self.seed, self.step_count)
        try:
            results = self._runner.run(fed, key=key)
        except NotFinite as found:
            first = culprit(self.graph, found.name, fed, self._variables, key)
            where, span = f"step {self.step_count + 1}", self._places.get(found.name)
            begins = self.step_count == self._given
            told = LossNotFinite(span, found.name, found.value, where, first, begins)
            raise Refused(told) from None
        self.norms = {name: float(value) for name, value in results.metrics.items()}
        return {name: float(value) for name, value in results.losses.items()}
