"""Batches made ahead: the same ones, what is raised in making them, and no thread left behind."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import numpy as np
import pytest
from data_files import write_classes
from test_batches import batches, feed

from netdsl.data import ahead as module
from netdsl.data.ahead import ahead, paced
from netdsl.diagnostics import Refused
from netdsl.ir.program import Recipe, Stage


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def makers() -> int:
    return sum(thread.name == "netdsl batches" for thread in threading.enumerate())


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_all_in_order(depth, count):
    assert list(ahead(range(count), depth)) == list(range(count))


def test_at_most_so_many_are_made_before_they_are_asked_for():
    made = []
    items = ahead((made.append(i) or i for i in range(100)), 2)
    assert next(items) == 0
    time.sleep(0.05)
    assert 1 <= len(made) <= 4  # one given, two waiting, one to be put
    items.close()
    assert len(made) < 6


def test_making_goes_on_while_the_last_one_is_used():
    begun = threading.Event()

    def items():
        yield 1
        begun.set()
        yield 2

    with closing(ahead(items())) as made:
        assert next(made) == 1 and begun.wait(10)


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), MemoryError(), Refused()])
def test_what_is_raised_in_making_is_raised_here_after_what_came_before(error):
    def items():
        yield from (1, 2, 3)
        raise error

    seen = []
    with pytest.raises(type(error)) as raised:
        for item in ahead(items()):
            seen.append(item)
    assert seen == [1, 2, 3] and raised.value is error
    assert makers() == 0


def test_the_thread_ends_when_nobody_wants_more():
    for stop in ("close", "error", "forget"):
        items = ahead(iter(int, 1))  # without end
        next(items)
        assert makers() == 1
        if stop == "close":
            items.close()
        elif stop == "error":
            with pytest.raises(KeyboardInterrupt), closing(items):
                raise KeyboardInterrupt
        del items
        assert makers() == 0


def used(making: float, using: float, count: int = 12) -> list[int]:
    """How many threads make items, seen as each is used."""
    seen = []
    with closing(paced(time.sleep(making) for _ in range(count))) as items:
        for _ in items:
            seen.append(makers())
            time.sleep(using)
    return seen


def test_only_what_takes_long_is_made_ahead():
    assert set(used(0, 0.02)) == {0}
    assert used(0.01, 0.01)[:5] == [0, 0, 0, 0, 1]
    assert list(paced(range(3))) == [0, 1, 2] and list(paced(())) == []


def test_the_same_bits_as_without(monkeypatch):
    stages = Stage(Recipe("random_crop", (1,))), Stage(Recipe("random_flip"))
    made = {}
    for name, worth in (("ahead", -1), ("plain", 2)):
        monkeypatch.setattr(module, "WORTH", worth)
        monkeypatch.setattr(module, "TRIAL", 2)
        source = batches(4, train=40, held=13, feeds=[feed(*stages)])
        made[name] = [*source.training(0), *source.training(1), *source.validation()]
    assert len(made["ahead"]) == 24
    for a, b in zip(made["ahead"], made["plain"], strict=True):
        assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_damaged_image_stops_the_training_and_its_thread(tmp_path, monkeypatch):
    from netdsl.data.batches import Batches
    from netdsl.data.sources import load_source
    from netdsl.ir.dim import symbol
    from netdsl.ir.graph import Graph, Value
    from netdsl.ir.tensor import TensorType

    monkeypatch.setattr(module, "WORTH", -1)
    write_classes(tmp_path, ("cat", "dog"), each=10, parts=("",), side=8)
    for broken in ("cat/3.png", "dog/8.png"):
        (tmp_path / broken).write_bytes(b"")
    image = Value(TensorType("f32", (symbol("B"), 3, 8, 8)), name="image")
    data = load_source(Recipe("images", (str(tmp_path),)))
    with pytest.raises(Refused) as refused:
        list(Batches(Graph("Inputs", (), {"image": image}, {}, {}), data, 1).training(0))
    assert [problem.code for problem in refused.value.problems] == ["N520"]
    assert makers() == 0
