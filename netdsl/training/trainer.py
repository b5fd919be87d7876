"""One training step after another: weights, optimiser memory, and the graph that moves them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netdsl.backends.numpy import Runner
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.training import FreeState, WrongSeed
from netdsl.ir.graph import Graph
from netdsl.ir.program import TrainProgram
from netdsl.layers.initializers import initialize
from netdsl.training.graph import STEP, plan_training, planned_graph, rate_input
from netdsl.weights import fit

Arrays = dict[str, np.ndarray]
SEEDS = 2**63  # seeds lie below: they are keys of 64 bits, and JSON and int64 hold them


class Trainer:
    """A model in training.

    `graph` is the whole model. `weights` hold every parameter and buffer by name and are copied;
    None: freshly initialised from `seed`, which also seeds dropout. Schedules count epochs of
    `steps_per_epoch` steps, `epochs` of them (None: as the program says); without
    `steps_per_epoch` they stay where they begin. Raises Refused for a program or weights that do
    not fit.
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
        self.graph = planned_graph(plan)
        self._schedules = [optimizer.lr for optimizer in plan.optimizers]
        self._per_epoch = steps_per_epoch or 0
        self._steps = self._per_epoch * (program.epochs if epochs is None else epochs)
        if weights is None:
            weights = initialize(graph, seed)
        slots = {name: v for name, v in self.graph.variables.items() if v.kind == "slot"}
        self._model, self._declared = tuple(graph.variables), {**graph.variables, **slots}
        begun = {n: np.zeros(v.type.shape, v.type.numpy_dtype) for n, v in slots.items()}
        given = fit(weights, graph.variables, "the weights")
        self._variables: Arrays = {
            name: np.array(array, order="C") for name, array in {**given, **begun}.items()
        }
        self._runner = Runner(self.graph, self._variables)

    @property
    def step_count(self) -> int:
        """Steps made so far."""
        return int(self._variables[STEP])

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

    def rates(self) -> dict[str, float]:
        """The learning rate of the next step for each `minimize`, by its input of the graph."""
        if not self._per_epoch:
            return {rate_input(i): each.beginning for i, each in enumerate(self._schedules)}
        step = min(self.step_count, max(self._steps - 1, 0))  # past the end the last rate stays
        return {
            rate_input(i): schedule.value(step, self._steps, self._per_epoch)
            for i, schedule in enumerate(self._schedules)
        }

    def step(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
        """One step on a batch of model inputs by name; those that no minimised loss needs may be
        there too. Returns the minimised losses before the step. Raises Refused for inputs that do
        not fit."""
        fed = {name: array for name, array in batch.items() if name in self.graph.inputs}
        for name, rate in self.rates().items():
            fed[name] = np.asarray(rate, self.graph.inputs[name].type.numpy_dtype)
        losses = self._runner.run(fed, key=(self.seed, self.step_count)).losses
        return {name: float(value) for name, value in losses.items()}
