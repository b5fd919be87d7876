"""Lanes: the same numbers on more threads, whatever goes wrong in one of them."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from sketch import B, Sketch

from netdsl.backends.numpy import Runner, compile_program, emitter, workers
from netdsl.backends.numpy.program import Call, Together
from netdsl.backends.numpy.sections import Sections
from netdsl.backends.numpy.view import Buffer, dense
from netdsl.ops import OPS
from netdsl.rewrite.specialize import specialize


def array(rows: int = 8):
    return dense(Buffer(np.dtype(np.float32), rows * 4), (rows, 4))


def call(*reads, out) -> Call:
    return Call(np.add, reads, {"out": out})


# ------------------------------------------------------------------ sections


def sectioned(*calls: tuple[Call, int | None]) -> list[int]:
    """How many lanes each step has."""
    sections = Sections()
    for each, lane in calls:
        sections.add(each, lane)
    return [len(s.lanes) if isinstance(s, Together) else 1 for s in sections.steps()]


def test_chains_over_the_same_rows_form_one_section():
    x, y, z = array(), array(), array()
    halves = ((0, 4), (4, 8))
    calls = [(call(x.rows(*half), out=y.rows(*half)), i) for i, half in enumerate(halves)]
    calls += [(call(y.rows(*half), out=z.rows(*half)), i) for i, half in enumerate(halves)]
    assert sectioned(*calls) == [2]


def test_a_lane_that_reads_what_another_wrote_waits():
    x, y, z = array(), array(), array()
    halves = ((0, 4), (4, 8))
    calls = [(call(x.rows(*half), out=y.rows(*half)), i) for i, half in enumerate(halves)]
    calls += [(call(y, out=z.rows(*half)), i) for i, half in enumerate(halves)]
    assert sectioned(*calls) == [2, 2]


def test_a_lane_that_overwrites_what_another_reads_waits():
    x, y, z = array(), array(), array()
    assert sectioned((call(x, out=y), 0), (call(z, out=x.rows(0, 2)), 1)) == [1, 1]


def test_what_lanes_only_read_they_share():
    weight, y = array(), array()
    halves = (y.rows(0, 4), y.rows(4, 8))
    assert sectioned(*((call(weight, out=half), i) for i, half in enumerate(halves))) == [2]


def test_serial_calls_stand_alone():
    x, y = array(), array()
    calls = [(call(x.rows(0, 4), out=y.rows(0, 4)), 0), (call(x.rows(4, 8), out=y.rows(4, 8)), 1)]
    assert sectioned(*calls, (call(x, out=y), None), *calls) == [2, 1, 2]


def test_nets_are_split_into_few_sections():
    sketch = Sketch()
    x = sketch.input("x", B, 4, 16, 16)
    for i in range(3):
        x = sketch(OPS["relu"], sketch.conv(x, f"conv{i}", 4, bias=True))
    program = compile_program(specialize(sketch.graph(y=x), {"B": 256}), lanes=2)
    assert [type(step) for step in program.steps] == [Together]
    serial = compile_program(specialize(sketch.graph(y=x), {"B": 256}))
    assert all(isinstance(step, Call) for step in serial.steps)


# ------------------------------------------------------------------ threads


def split_runner(lanes: int, monkeypatch) -> tuple[Runner, dict]:
    monkeypatch.setattr(emitter, "WORTH_SPLITTING", 0)
    sketch = Sketch()
    x = sketch.conv(sketch.input("x", B, 3, 9, 9), "conv", 5, bias=True)
    fed = {"x": np.random.default_rng(0).normal(size=(7, 3, 9, 9))}
    return Runner(sketch.graph(y=sketch(OPS["relu"], x)), sketch.weights, lanes), fed


@pytest.mark.parametrize("lanes", (2, 3, 4))
def test_lanes_give_the_same_numbers(lanes, monkeypatch):
    alone, fed = split_runner(1, monkeypatch)
    split, _ = split_runner(lanes, monkeypatch)
    for rows in (7, 1, 2):
        part = {"x": fed["x"][:rows]}
        np.testing.assert_allclose(
            split.run(part).outputs["y"], alone.run(part).outputs["y"], rtol=1e-5, atol=1e-6
        )


def test_runs_from_several_threads_do_not_meet(monkeypatch):
    runners = [split_runner(2, monkeypatch)[0] for _ in range(4)]
    _, fed = split_runner(2, monkeypatch)
    expected = runners[0].run(fed).outputs["y"]
    wrong = []

    def work(runner: Runner) -> None:
        for _ in range(50):
            if not np.array_equal(runner.run(fed).outputs["y"], expected):
                wrong.append(runner)

    threads = [threading.Thread(target=work, args=(runner,)) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_a_lane_raises_is_raised_and_the_next_run_works():
    done = []

    def broken():
        raise RuntimeError("in a lane")

    for lanes in (([broken], []), ([], [broken]), ([broken], [broken])):
        with pytest.raises(RuntimeError, match="in a lane"):
            workers.together(*lanes)
    workers.together([lambda: done.append(1)], [lambda: done.append(2)])
    assert sorted(done) == [1, 2]


def test_an_interrupt_waits_for_the_other_lane():
    finished = threading.Event()

    def interrupted():
        raise KeyboardInterrupt

    def slow():
        threading.Event().wait(0.05)
        finished.set()

    with pytest.raises(KeyboardInterrupt):
        workers.together([interrupted], [slow])
    assert finished.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_starts_its_own_threads():
    workers.together([lambda: None], [lambda: None])
    child = os.fork()
    if child == 0:
        done = []
        workers.together([lambda: done.append(1)], [lambda: done.append(2)])
        os._exit(0 if sorted(done) == [1, 2] else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


# ------------------------------------------------------------------ BLAS


def test_blas_is_left_as_it_was():
    controls = workers.blas_controls()
    if controls is None:
        pytest.skip("NumPy was built with another BLAS than OpenBLAS")
    read, set_to = controls
    before = read()
    try:
        set_to(2)
        with pytest.raises(ZeroDivisionError), workers.single_threaded_blas():
            assert read() == 1
            raise ZeroDivisionError
        assert read() == 2
        assert workers.available_lanes() == 2
    finally:
        set_to(before)


def test_without_openblas_there_is_one_lane(monkeypatch):
    monkeypatch.setattr(workers, "blas_controls", lambda: None)
    assert workers.available_lanes() == 1
    with workers.single_threaded_blas():
        pass
