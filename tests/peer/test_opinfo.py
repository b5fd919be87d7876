"""PyTorch's own samples through our language, kernels, gradients and engine: shapes that nobody
here chose. A sample passes, is refused with a reason, or is wrong; nothing may be wrong.

    python tests/peer/test_opinfo.py                            the whole table
    python tests/peer/test_opinfo.py softmax nn.functional.conv2d      rows, with every reason
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "backends")]

from opinfo_judge import (
    PASSED,
    REFUSED,
    WRONG,
    Verdict,
    check_export,
    check_numbers,
    judged,
    samples_of,
)
from opinfo_table import OPERATORS, ROWS

from netdsl.backends.numpy import lowering
from netdsl.build import evaluate
from netdsl.layers.words import word_of
from netdsl.ops.elementwise import Term, tanh

MOST = 300  # samples of one operator; max_pool2d alone has 1,440
FEW = 4  # of them through ONNX Runtime


def verdicts(name: str, most: int = MOST, check=check_numbers) -> list[Verdict]:
    op = OPERATORS[name]
    return [judged(op, sample, ROWS[name], check) for sample in samples_of(op, most)]


def told(found: Iterable[Verdict]) -> str:
    """The first of those that are wrong."""
    wrong = [f"{v.sample}: {v.reason}" for v in found if v.outcome == WRONG]
    return "\n".join(wrong[:5])


@pytest.mark.parametrize("name", ROWS)
def test_samples_of(name, opinfo_counts):
    found = verdicts(name)
    opinfo_counts[name] = found
    assert not told(found)
    assert any(v.outcome == PASSED for v in found), "no sample passes"


@pytest.mark.parametrize("name", ROWS)
def test_exported_samples_of(name):
    assert not told(verdicts(name, FEW, check_export))


# ------------------------------------------------------------------ the judge itself


def replaced(monkeypatch, **facets) -> None:
    """The word `tanh` as an op that is wrong on purpose."""
    monkeypatch.setitem(evaluate.BUILT_IN, "tanh", word_of(replace(tanh, **facets)))


def steep(emit, node, g):
    flow, y = Term(emit, g), Term(emit, node.outputs[0])
    return ((flow * (1.0 - y * y) * (1 + 1e-6)).value,)


def wrong_rule(emit, node):
    x = emit.read(node.inputs[0])
    emit(lambda x, out: out.fill(0.5), x, out=emit.write(node.outputs[0]))


def test_a_gradient_off_by_a_millionth_is_wrong(monkeypatch):
    replaced(monkeypatch, gradient=steep)
    assert "gradient of x0" in first_fault("tanh")


def test_a_wrong_kernel_is_wrong(monkeypatch):
    replaced(monkeypatch, kernel=lambda a, x: tanh.kernel(a, x) * (1 + 1e-9))
    assert first_fault("tanh").startswith("Not equal") and "reference" in first_fault("tanh")


def test_a_wrong_rule_of_the_engine_is_wrong(monkeypatch):
    monkeypatch.setitem(lowering.RULES, "tanh", wrong_rule)
    assert "engine, result 0" in first_fault("tanh")


def test_a_wrong_shape_is_wrong(monkeypatch):
    replaced(monkeypatch, shape=lambda a, x: x.with_shape(*x.shape, 1))
    assert "the shape rule tells" in first_fault("tanh")


def test_a_forgotten_operand_is_wrong(monkeypatch):
    monkeypatch.setitem(ROWS, "add", lambda x, y, alpha=1: f"{x} + 0.0")
    assert first_fault("add")


def first_fault(name: str) -> str:
    return next((v.reason for v in verdicts(name, 10) if v.outcome == WRONG), "")


# ------------------------------------------------------------------ the table


def table(counts: dict[str, list[Verdict]], every_reason: bool = False) -> Iterable[str]:
    """A line for each operator, the most common reason of its refusals behind it, and totals."""
    width = max(map(len, counts), default=0)
    total: Counter[str] = Counter()
    yield f"{'operator':{width}}  passed  refused  wrong  most common reason of {len(counts)} rows"
    for name, found in counts.items():
        tally = Counter(v.outcome for v in found)
        total += tally
        reasons = Counter(v.reason for v in found if v.outcome == REFUSED).most_common()
        first = f"{reasons[0][1]}: {reasons[0][0]}" if reasons else ""
        yield (f"{name:{width}}  {tally[PASSED]:6}  {tally[REFUSED]:7}  {tally[WRONG]:5}  "
               f"{first}").rstrip()
        if every_reason:
            yield from (f"    {n} refused: {reason}" for reason, n in reasons[1:])
        yield from (f"    WRONG {v.sample}: {v.reason}" for v in found if v.outcome == WRONG)
    yield (f"{'total':{width}}  {total[PASSED]:6}  {total[REFUSED]:7}  {total[WRONG]:5}")


def main(names: list[str]) -> int:
    counts = {name: verdicts(name) for name in names or ROWS}
    print("\n".join(table(counts, every_reason=bool(names))))
    return int(any(v.outcome == WRONG for found in counts.values() for v in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
