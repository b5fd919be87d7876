"""Threads that run the lanes of a section, and BLAS kept to one thread each while they do.

NumPy lets go of the interpreter inside its functions, so two lanes keep two cores busy. BLAS's own
threads would split every small product and wait for each other instead.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np

MOST_LANES = 8  # each needs the interpreter a few percent of its time
LOOKS = 200 if hasattr(os, "sched_yield") else 0  # 100 to 200 µs
let_others_run = getattr(os, "sched_yield", None)
Calls = Sequence[Callable[[], object]]


class Worker:
    """A thread that waits for lists of calls.

    Sections follow one another closely, so both sides look for a while whether it is their turn
    before they sleep: waking a thread takes longer than many a section.
    """

    def __init__(self) -> None:
        self._wake, self._done = threading.Lock(), threading.Lock()
        self._wake.acquire()
        self._done.acquire()
        self._calls: Calls | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._serve, name="netdsl lane", daemon=True).start()

    def start(self, calls: Calls) -> None:
        self._done.acquire(blocking=False)  # left over where `finish` did not have to sleep
        self._calls = calls
        self._wake.release()

    def finish(self) -> BaseException | None:
        """Wait for the calls; what they raised, if they did."""
        looks, interrupted = LOOKS, None
        while self._calls is not None:
            try:
                if looks:
                    looks -= 1
                    let_others_run()
                else:
                    self._done.acquire()
            except KeyboardInterrupt as error:  # the arrays are in use until the worker is done
                interrupted = error
        error, self._error = self._error, None
        return error or interrupted

    def _serve(self) -> None:
        np.seterr(all="ignore")  # error states are per thread
        while True:
            self._await()
            try:
                for call in self._calls:
                    call()
            except BaseException as error:
                self._error = error
            self._calls = None
            if self._done.locked():
                self._done.release()

    def _await(self) -> None:
        for _ in range(LOOKS):
            if self._wake.acquire(blocking=False):
                return
            let_others_run()
        self._wake.acquire()


_workers: list[Worker] = []
_busy = threading.Lock()


def together(*lanes: Calls) -> None:
    """Run lists of calls at the same time, the first one here. Raises what a call raises.

    Another thread of the program that comes here meanwhile runs its lanes one after another.
    """
    if not _busy.acquire(blocking=False):
        for calls in lanes:
            for call in calls:
                call()
        return
    try:
        while len(_workers) < len(lanes) - 1:
            _workers.append(Worker())
        helping = _workers[: len(lanes) - 1]
        try:
            for worker, calls in zip(helping, lanes[1:]):
                worker.start(calls)
            for call in lanes[0]:
                call()
        finally:
            errors = [worker.finish() for worker in helping]
        for error in errors:
            if error is not None:
                raise error
    finally:
        _busy.release()


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global _busy
    _workers.clear()
    _busy = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


# ------------------------------------------------------------------ BLAS


@cache
def blas_controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Reading and setting how many threads NumPy's OpenBLAS uses; None for another BLAS."""
    from numpy.linalg import _umath_linalg

    try:
        library = ctypes.CDLL(_umath_linalg.__file__)
    except OSError:
        return None
    for prefix in ("scipy_openblas", "openblas"):
        for suffix in ("64_", ""):
            try:
                return (
                    getattr(library, f"{prefix}_get_num_threads{suffix}"),
                    getattr(library, f"{prefix}_set_num_threads{suffix}"),
                )
            except AttributeError:
                continue
    return None


def available_lanes() -> int:
    """How many lanes programs are made for: as many threads as BLAS was told to use
    (OPENBLAS_NUM_THREADS), at most eight; one where BLAS cannot be kept to one thread."""
    controls = blas_controls()
    return 1 if controls is None else max(1, min(MOST_LANES, controls[0]()))


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS on one thread for each caller, and as it was afterwards."""
    controls = blas_controls()
    if controls is None:
        yield
        return
    read, set_to = controls
    before = read()
    set_to(1)
    try:
        yield
    finally:
        set_to(before)
