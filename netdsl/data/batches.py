"""Batches: the rows of a data set, in order, as what a model is fed.

Training shuffles anew each epoch and drops the rows at the end that make no whole batch; which
rows those are changes with the order. Validation takes all rows in file order, so that its last
batch may be smaller.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import replace

import numpy as np

from netdsl.data.ahead import paced
from netdsl.data.dataset import Dataset, Field, Split, check_labels, row_count
from netdsl.data.draws import MEASURING, shuffled
from netdsl.data.feeds import bind_feeds, check_brightness, check_facts, check_feeds
from netdsl.data.ways import Drawn, Known, Moment, Pipe
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.data import BatchTooLarge
from netdsl.ir.graph import Graph
from netdsl.ir.program import Feed
from netdsl.source import Span


class Batches:
    """Values for the inputs `needed` of a graph (all when None), `size` rows at a time. `span` is
    where the size was said. Inputs with a value for each row come first, then facts of the data;
    those that follow a schedule are not among them. Raises Refused when the data do not fit the
    inputs: fields, dtypes, shapes, label ranges."""

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
        ways = bind_feeds(graph, feeds, report)
        wanted = [way for name, way in ways.items() if needed is None or name in needed]
        splits = [split for split in (dataset.train, dataset.validate) if split]
        for split in splits:
            types = {name: field.type for name, field in split.items()}
            check_feeds(graph, wanted, types, report, offers=dataset.offers)
        known = [way for way in wanted if isinstance(way, Known)]
        facts = dataset.facts() if known else {}
        check_facts(graph, known, {name: fact.shape for name, fact in facts.items()}, report)
        report.stop_on_errors()
        for split in splits:
            for problem in check_brightness(wanted, split):
                report.add(problem)
        report.stop_on_errors()
        self._pipes = [way for way in wanted if isinstance(way, Pipe)]
        self._drawn = [way for way in wanted if isinstance(way, Drawn)]
        self._dtypes = {name: value.type.numpy_dtype for name, value in graph.inputs.items()}
        self._facts = {way.input: facts[way.fact].astype(self._dtypes[way.input]) for way in known}
        for pipe in self._pipes:
            if pipe.input in graph.ranges:
                for split in splits:
                    self._check_range(graph, pipe, split[pipe.field])

    def _check_range(self, graph: Graph, pipe: Pipe, field: Field) -> None:
        """Raises Refused for a number outside the range of the pipe's input, with the class that
        it counts and the range that the field needs."""
        low, high = graph.ranges[pipe.input]
        try:
            check_labels(field, low, high, graph.besides.get(pipe.input, ()))
        except Refused as refused:
            problem, classes = refused.problems[0], self.dataset.classes
            is_class = 0 <= problem.value < len(classes)
            least, most = int(field.values.min()), int(field.values.max())
            raise Refused(replace(
                problem, field=pipe.field,
                called=classes[problem.value] if is_class else "",
                needs=max(len(classes), most + 1) if least >= low else None,
            )) from None

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training rows. Raises Refused when there is none."""
        rows = row_count(self.dataset.train)
        if rows < self.size:
            raise Refused(BatchTooLarge(self.size, rows, self._span))
        return rows // self.size

    def training(self, epoch: int) -> Generator[dict[str, np.ndarray], None, None]:
        """The batches of an epoch, counted from 0, in its random order; made ahead where that takes
        long, so close it when you stop before its end. Raises Refused when there is not a single
        one."""
        return paced(self._training(epoch))

    def validation(self) -> Generator[dict[str, np.ndarray], None, None]:
        """All validation rows in order; the last batch may be smaller. What is drawn is the same
        each time, whatever the seed. Made ahead and to be closed as those of training."""
        return paced(self._validation())

    def _training(self, epoch: int) -> Iterator[dict[str, np.ndarray]]:
        steps = self.steps_per_epoch
        order = shuffled(row_count(self.dataset.train), self.seed, "order", epoch)
        for batch in range(steps):
            index = order[batch * self.size : (batch + 1) * self.size]
            yield self._made(self.dataset.train, index, Moment("training", self.seed, epoch, batch))

    def _validation(self) -> Iterator[dict[str, np.ndarray]]:
        rows = row_count(self.dataset.validate)
        for batch, start in enumerate(range(0, rows, self.size)):
            index = slice(start, min(start + self.size, rows))
            moment = Moment("validating", MEASURING, 0, batch)
            yield self._made(self.dataset.validate, index, moment)

    def _made(
        self, split: Split, index: np.ndarray | slice, moment: Moment
    ) -> dict[str, np.ndarray]:
        made = {
            pipe.input: pipe.make(split[pipe.field], index, self._dtypes[pipe.input], moment)
            for pipe in self._pipes
        }
        count = len(index) if isinstance(index, np.ndarray) else index.stop - index.start
        for drawn in self._drawn:
            made[drawn.input] = drawn.make(count, self._dtypes[drawn.input], moment)
        return {**made, **self._facts}
