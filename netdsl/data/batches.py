"""Batches: the rows of a data set, in order, as what a model is fed.

Training shuffles anew each epoch and drops the rows at the end that make no whole batch; which
rows those are changes with the order. Validation takes all rows in file order, so that its last
batch may be smaller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np

from netdsl.data.dataset import Dataset, Split, check_labels, row_count
from netdsl.data.draws import shuffled
from netdsl.data.feeds import bind_feeds, check_feeds, pipes_of
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.data import BatchTooLarge
from netdsl.ir.graph import Graph
from netdsl.ir.program import Feed
from netdsl.source import Span


class Batches:
    """Values for the inputs `needed` of a graph (all when None), `size` rows at a time. `span` is
    where the size was said. Raises Refused when the data do not fit the inputs: fields, dtypes,
    shapes, label ranges."""

    def __init__(
        self,
        graph: Graph,
        dataset: Dataset,
        size: int,
        *,
        feeds: Iterable[Feed] = (),
        needed: Collection[str] | None = None,
        seed: int = 0,
        span: Span | None = None,
    ):
        self.dataset, self.size, self.seed, self._span = dataset, size, seed, span
        report = Report()
        pipes = bind_feeds(graph, feeds, report)
        wanted = [pipe for name, pipe in pipes.items() if needed is None or name in needed]
        splits = [split for split in (dataset.train, dataset.validate) if split]
        for split in splits:
            types = {name: field.type for name, field in split.items()}
            check_feeds(graph, wanted, types, report)
        self._pipes = pipes_of(wanted, report)
        report.stop_on_errors()
        self._dtypes = {name: value.type.numpy_dtype for name, value in graph.inputs.items()}
        for pipe in self._pipes:
            if pipe.input in graph.ranges:
                for split in splits:
                    check_labels(split[pipe.field], *graph.ranges[pipe.input])

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training rows. Raises Refused when there is none."""
        rows = row_count(self.dataset.train)
        if rows < self.size:
            raise Refused(BatchTooLarge(self.size, rows, self._span))
        return rows // self.size

    def training(self, epoch: int) -> Iterator[dict[str, np.ndarray]]:
        """The batches of an epoch, counted from 0, in its random order. Raises Refused when there
        is not a single one."""
        steps = self.steps_per_epoch
        order = shuffled(row_count(self.dataset.train), self.seed, "order", epoch)
        for batch in range(steps):
            index = order[batch * self.size : (batch + 1) * self.size]
            yield self._made(self.dataset.train, index, "training", epoch, batch)

    def validation(self) -> Iterator[dict[str, np.ndarray]]:
        """All validation rows in order; the last batch may be smaller."""
        rows = row_count(self.dataset.validate)
        for batch, start in enumerate(range(0, rows, self.size)):
            index = slice(start, min(start + self.size, rows))
            yield self._made(self.dataset.validate, index, "validating", 0, batch)

    def _made(
        self, split: Split, index: np.ndarray | slice, phase: str, epoch: int, batch: int
    ) -> dict[str, np.ndarray]:
        return {
            pipe.input: pipe.make(
                split[pipe.field], index, self._dtypes[pipe.input], phase, self.seed, epoch, batch
            )
            for pipe in self._pipes
        }
