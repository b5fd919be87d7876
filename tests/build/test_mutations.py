"""Whatever text comes in, a graph or a refusal comes out: never a traceback, never a wait."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building import compiled, picture
from netdsl.autodiff import differentiate
from netdsl.diagnostics import Refused
from netdsl.ir.op import NotDefined
from netdsl.ir.verify import verify
from netdsl.rewrite.deduplicate import deduplicate
from netdsl.rewrite.phases import infer, train, validate

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TEXTS = [path.read_text("utf-8")
         for path in (*sorted((ROOT / "models").glob("*.net")), *sorted(HERE.glob("golden/*.net")))]
TOKEN = re.compile(
    r"#[^\n]*|\s+|[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?|\"[^\"]*\"|->|\.\.\.?|//|\*\*|[<>=!]=|."
)
STRANGE = (
    "none", "true", "-1", "0", "1 / 3", "10 ** 400", "1e300", "_", "...", "?", "[]", "()", "B", "x",
    "\"a\"", "relu", "linear", "conv{3}", "H / 2", "x[_, 0]", "0..3", "f32", "i64", "zeros()",
    "sqrt(2)", "return x", "[[1]]", "(1, 2)", "when", "not", "x > 0", "image", "label", "self",
    "{", "}", "dropout(0.5)", "batchnorm{}", "if true then 1 else 2", "0.5", "c", "len", "M",
)


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


POOL = sorted({token for text in TEXTS for token in tokens(text) if not token.isspace()
               and not token.startswith("#")}) + list(STRANGE)


@st.composite
def mutated(draw) -> str:
    """One of the texts with a few tokens exchanged, left out, doubled or swapped."""
    parts = tokens(draw(st.sampled_from(TEXTS)))
    words = [i for i, part in enumerate(parts) if not part.isspace() and not part.startswith("#")]
    for _ in range(draw(st.integers(1, 4))):
        i, j = draw(st.sampled_from(words)), draw(st.sampled_from(words))
        match draw(st.sampled_from(("exchange", "borrow", "drop", "double", "swap"))):
            case "exchange":
                parts[i] = draw(st.sampled_from(STRANGE))
            case "borrow":
                parts[i] = draw(st.sampled_from(POOL))
            case "drop":
                parts[i] = ""
            case "double":
                parts[i] += " " + parts[i]
            case "swap":
                parts[i], parts[j] = parts[j], parts[i]
    return "".join(parts)


def check(text: str) -> None:
    try:
        built, report = compiled(text)
    except Refused as refusal:
        assert refusal.problems and picture(refusal.problems)
        assert any(problem.severity == "error" for problem in refusal.problems)
        return
    assert picture(tuple(report.problems)) is not None
    for phase in (infer, validate, train):
        verify(phase(built.graph))
    verify(deduplicate(built.graph))
    trained = train(built.graph)
    try:
        verify(differentiate(trained, trained.losses, trained.parameters))
    except NotDefined as absent:
        assert absent.reason


def test_what_is_mutated_is_sound():
    for text in TEXTS:
        check(text)


@given(mutated())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_mutations(text):
    check(text)


@pytest.mark.slow
@given(mutated())
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_mutations(text):
    check(text)
