"""Inputs of a model that follow a schedule: `feed momentum = cosine(0.996, 1.0)`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from netdsl.data.feeds import bind_feeds
from netdsl.data.ways import Scheduled
from netdsl.diagnostics import Report
from netdsl.ir.graph import Graph
from netdsl.ir.program import Feed, TrainProgram
from netdsl.training.schedules import Schedule, bind_schedule


def scheduled_inputs(graph: Graph, feeds: Iterable[Feed]) -> dict[str, Schedule]:
    """The schedules of a checked program's feeds, by input. Raises Refused for one that is wrong
    in itself."""
    ways = bind_feeds(graph, feeds, Report())
    return {name: bind_schedule(way.schedule) for name, way in ways.items()
            if isinstance(way, Scheduled)}


def at_the_end(graph: Graph, program: TrainProgram, steps_per_epoch: int) -> dict[str, np.ndarray]:
    """These inputs as they are in the last step of a training."""
    steps = steps_per_epoch * program.epochs
    return {
        name: np.asarray(schedule.value(steps - 1, steps, steps_per_epoch),
                         graph.inputs[name].type.numpy_dtype)
        for name, schedule in scheduled_inputs(graph, program.feeds).items()
    }
