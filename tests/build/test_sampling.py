"""`sample` declarations to programs, and programs against the models they are bound to."""

from __future__ import annotations

from fractions import Fraction
from typing import get_type_hints

import pytest

from building import codes_of, compiled, problems_of
from netdsl.generate.samplers import INPUT, OUTPUT, SAMPLERS
from netdsl.ir.program import Recipe, Reference, SampleProgram
from netdsl.registry import kind_of

LM = """
let V = 96
model Lm{d = 8} {
    input tok: i64[B, L] in 0..V
    wte = embedding{V, d}
    output logits = matmul(wte(tok), transpose(wte.weight))
}
"""
DIFFUSION = """
model Ddpm{T = 100} {
    input xt: f32[B, 3, 4, 4]
    input t: i64[B] in 0..T
    output eps = xt + (xt -> conv: conv{3}) * reshape(f32(t), [B, 1, 1, 1])
}
"""
GENERATOR = """
model Gen{z = 5} {
    input noise: f32[B, z]
    input image: f32[B, 3]
    output fake = noise -> fc: linear{3}
    loss far = mean((fake - image) ** 2)
}
"""


def sampler(text: str, model: str | None = None) -> SampleProgram | None:
    return compiled(text, model)[0].sampler


def test_a_sampler():
    text = LM + "sample Lm { autoregressive(logits, tok, length = 500, temperature = V / 120) }"
    made = sampler(text)
    assert (made.model, made.sampler) == ("Lm", Recipe(
        "autoregressive", (Reference(("logits",)), Reference(("tok",))),
        {"length": 500, "temperature": Fraction(4, 5)},
    ))
    assert made.span.text == "Lm"


def test_a_model_without_one():
    assert sampler(LM) is None


def test_a_preset_takes_that_of_its_base_or_its_own():
    text = LM + """
    model Wide = Lm{d = 16}
    model Deep = Lm{d = 32}
    sample Lm { autoregressive(logits, tok, length = 5) }
    sample Deep { beam(logits, tok, length = 7) }
    """
    names = {model: sampler(text, model).sampler.name for model in ("Lm", "Wide", "Deep")}
    assert names == {"Lm": "autoregressive", "Wide": "autoregressive", "Deep": "beam"}


@pytest.mark.parametrize(("model", "written"), [
    (LM, "Lm { autoregressive(logits, tok, length = 500, temperature = 0.8, top_k = 40) }"),
    (LM, "Lm { autoregressive(logits, tok, 500, top_p = 0.9, end = 95) }"),
    (LM, "Lm { beam(logits, tok, length = 20, width = 8, penalty = 0.6, end = 0) }"),
    (LM.replace("wte(tok)", "wte(tok[_, 0..L - 1])"),
     "Lm { autoregressive(logits, tok, length = 9) }"),
    (DIFFUSION, "Ddpm { ddpm(eps, xt, t) }"),
    (DIFFUSION, "Ddpm { ddim(eps, xt, t, steps = 100, eta = 0.5, betas = (0.001, 0.01)) }"),
    (GENERATOR, "Gen { decode(fake, noise, std = 0.7) }"),
])
def test_sound_samplers(model, written):
    assert codes_of(f"{model}\nsample {written}") == []


@pytest.mark.parametrize(("model", "written", "codes"), [
    (LM, "Lm { autoregresive(logits, tok, length = 5) }", ["N401"]),
    (LM, "Lm { autoregressive }", ["N440"]),
    (LM, "Lm { autoregressive() -> beam() }", ["N216"]),
    (LM, "Lm { 3 }", ["N216"]),
    (LM, "Lm { 3 / 0 }", ["N218"]),
    (LM, "Lm { beam(logits, tok, length = 3 / 0) }", ["N218"]),
    (LM, "Lx { autoregressive(logits, tok, length = 5) }", ["N220"]),
    (LM, "Lm { autoregressive(logits, tok) }", ["N203"]),
    (LM, "Lm { autoregressive(logits, tok, length = 5, temp = 1) }", ["N202"]),
    (LM, "Lm { autoregressive(logits, tok, length = 0) }", ["N405"]),
    (LM, "Lm { autoregressive(logits, tok, length = 5, temperature = -1) }", ["N405"]),
    (LM, "Lm { autoregressive(logits, tok, length = 5, top_p = 0) }", ["N405"]),
    (LM, "Lm { autoregressive(logits, tok, length = 5, top_p = 1.5) }", ["N405"]),
    (LM, 'Lm { autoregressive("logits", tok, length = 5) }', ["N405"]),
    (LM, "Lm { autoregressive(logit, tok, length = 5) }", ["N455"]),
    (LM, "Lm { autoregressive(tok, logits, length = 5) }", ["N455"] * 2),
    (LM, "Lm { autoregressive(wte.weight, tok, length = 5) }", ["N455"]),
    (LM, "Lm { autoregressive(logits, tok, length = 5, top_k = 97) }", ["N456"]),
    (LM, "Lm { autoregressive(logits, tok, length = 5, end = 96) }", ["N456"]),
    (LM.replace(" in 0..V", " in 1..V"), "Lm { beam(logits, tok, length = 5) }", ["N456"]),
    (LM.replace("[B, L] in", "[B, L, 1] in").replace("wte(tok)", "wte(tok[_, _, 0])"),
     "Lm { beam(logits, tok, length = 5) }", ["N456"]),
    (LM.replace("wte(tok)", "wte(tok[_, 0])"), "Lm { beam(logits, tok, length = 5) }", ["N456"]),
    (LM.replace("wte(tok)", "wte(tok[_, 0..3])"), "Lm { beam(logits, tok, length = 5) }",
     ["N456"]),
    (DIFFUSION, "Ddpm { ddim(eps, xt, t, steps = 101) }", ["N456"]),
    (DIFFUSION, "Ddpm { ddpm(eps, xt, t, betas = 0.02) }", ["N405"]),
    (DIFFUSION, "Ddpm { ddpm(eps, t, xt) }", ["N456"] * 3),
    (DIFFUSION.replace(" in 0..T", ""), "Ddpm { ddpm(eps, xt, t) }", ["N456"]),
    (DIFFUSION.replace("[B, 3, 4, 4]", "[B, 3, H, W]"), "Ddpm { ddpm(eps, xt, t) }", ["N456"]),
    (GENERATOR, "Gen { decode(fake, image) }", ["N458"]),
    (GENERATOR, "Gen { decode(fake, noise, std = -1) }", ["N405"]),
    (GENERATOR + "sample Gen { decode(fake, noise) }", "Gen { decode(fake, noise) }", ["N447"]),
])
def test_samplers_that_cannot_be(model, written, codes):
    problems = problems_of(f"{model}\nsample {written}")
    assert [problem.code for problem in problems if problem.severity == "error"] == codes


def test_a_model_that_fails_leaves_its_sampler_in_peace():
    text = LM.replace("embedding", "embeding") + "sample Lm { beam(logits, tokens, length = 5) }"
    assert codes_of(text) == ["N201"]


@pytest.mark.parametrize("name", SAMPLERS.rows)
def test_every_sampler_reads_an_output_and_says_what_it_is(name):
    row = SAMPLERS.rows[name]
    kinds = [kind_of(hint) for hint in get_type_hints(row, include_extras=True).values()
             if hasattr(hint, "__metadata__")]
    assert kinds.count(OUTPUT) == 1 and INPUT in kinds
    assert row.__doc__ and not row.__doc__.startswith(row.__name__ + "(")
