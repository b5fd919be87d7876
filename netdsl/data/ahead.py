"""Batches made ahead: a thread makes the next ones while the engine works on the one before.

Rows that lie in memory take well under a hundredth of a step, and a thread would only get in the
engine's way; images that are decoded take as long as the step. So it is measured.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")
DEPTH = 2  # items that wait
PATIENCE = 0.1  # seconds between looks at whether anyone still wants the next
TRIAL = 4  # items that are timed, the first of them left out: with it engines warm up
WORTH = 0.03  # the part of the time that goes into making, from which on a thread is worth it


def paced(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items, in order: made when they are asked for, as long as that is quick, and ahead where
    making the first of them takes a part of the time that is worth it."""
    items = iter(items)
    making = using = 0.0
    for number in range(TRIAL):
        began = perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        made = perf_counter()
        yield item
        if number:
            making += made - began
            using += perf_counter() - made
    yield from ahead(items) if making > WORTH * (making + using) else items


def ahead(items: Iterable[Item], depth: int = DEPTH) -> Generator[Item, None, None]:
    """The items, in order, made in a thread of their own, at most `depth` in advance. What is
    raised in making one is raised here. The thread ends when this iterator does: at its end, when
    it is closed, and with an error."""
    made: Queue[tuple[bool, Item | BaseException | None]] = Queue(depth)
    unwanted = Event()

    def offer(entry: tuple[bool, Item | BaseException | None]) -> bool:
        while not unwanted.is_set():
            try:
                made.put(entry, timeout=PATIENCE)
                return True
            except Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not offer((True, item)):
                    return
            offer((False, None))
        except BaseException as error:  # whatever it is belongs to the one who waits
            offer((False, error))

    maker = Thread(target=make, name="netdsl batches", daemon=True)
    maker.start()
    try:
        while True:
            is_item, entry = made.get()
            if is_item:
                yield entry
            elif entry is None:
                return
            else:
                raise entry
    finally:
        unwanted.set()
        while maker.is_alive():
            try:
                made.get_nowait()  # room for what it may be waiting to put
            except Empty:
                maker.join(PATIENCE)
