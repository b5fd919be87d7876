"""Which op answers what: a table against the picture in facets.txt."""

from __future__ import annotations

from pathlib import Path

from netdsl.ir.op import Absent, no_macs
from netdsl.ops import OPS

PICTURE = Path(__file__).with_name("facets.txt")


def facet_table() -> str:
    """One line for each op: what it has, then why it lacks what it lacks."""
    rows = ["op                             gradient onnx cost inference origin rows word"]
    for name, op in OPS.items():
        marks = (
            (not isinstance(op.gradient, Absent), 8), (not isinstance(op.onnx, Absent), 4),
            (op.cost is not no_macs, 4), (op.inference is not None, 9),
            (op.origin is not None, 6), (op.rows is not None, 4), (op.word, 4),
        )
        cells = " ".join(("x" if mark else "-").ljust(width) for mark, width in marks)
        rows.append(f"{name:30} {cells}".rstrip())
        for facet in ("gradient", "onnx"):
            absent = getattr(op, facet)
            if isinstance(absent, Absent):
                rows.append(f"    no {facet}: {absent.reason}")
    return "\n".join(rows) + "\n"


def test_table_of_facets_is_as_pictured(golden):
    golden(PICTURE, facet_table())


def test_what_is_absent_has_a_reason():
    for op in OPS.values():
        for facet in (op.gradient, op.onnx):
            assert not isinstance(facet, Absent) or len(facet.reason) > 8, op


def test_every_op_documents_itself():
    assert all(op.doc.endswith(".") for op in OPS.values())
