"""Any file is answered soon: work, memory and depth are bounded, whatever it asks for."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from building import body, errors_of, graph_of, problems_of

SECONDS = 10  # generous: the slowest takes a fifth of it on a slow machine


def layers(count: int, statement: str) -> str:
    """L0 … Lcount, each of which holds `statement` with the one below it."""
    lines = ["layer L0{}(x) { return x }"]
    lines += [f"layer L{i}{{}}(x) {{ {statement.replace('BELOW', f'L{i - 1}')} }}"
              for i in range(1, count + 1)]
    return "\n".join(lines)


HOSTILE = {
    "a long loop": (body("for (i in 0..10 ** 9) { x = relu(x) }\noutput x"), "N701"),
    "a loop without end": (body("for (i in 0..10 ** 18) { n = i }\noutput x"), "N701"),
    "beyond 64 bits": (body("for (i in 0..10 ** 30) { n = i }\noutput x"), "N218"),
    "loops in loops": (body("for (i in 0..1000) { for (j in 0..1000) { for (k in 0..1000) "
                            "{ for (l in 0..1000) { n = l } } } }\noutput x"), "N701"),
    "a long body in a loop": (body("for (i in 0..200000) {" + "n = 1 + 2 + 3 + 4\n" * 200 +
                                   "}\noutput x"), "N701"),
    "towers of powers": (body("output y = x + 9 ** 9 ** 9"), "N218"),
    "growing powers": (body("n = 3\nfor (i in 0..100) { n = n ** 2 }\noutput y = x * n"), "N218"),
    "growing fractions": (body("n = 1\nfor (i in 0..100000) { n = n / 3 + 1 }\noutput y = x * n"),
                          "N218"),
    "a large tensor": (body("output y = expand(x[0..1, 0..1], [10 ** 9, 10 ** 9])"), "N701"),
    "a large input": ("model M { input x: f32[B, 10 ** 18]  output x }", "N701"),
    "a large parameter": (body("output y = x -> fc: linear{10 ** 18}"), "N701"),
    "a large window":
        (body("output y = reshape(x, [B, 3, 1]) -> c: conv{8, k = 1, pad = 10 ** 30}"), "N701"),
    "a free parameter too large": (body("parameter p: f32[2 ** 41] = zeros()\noutput x"), "N701"),
    "doubling lists": (body("xs = [1]\nfor (i in 0..100) { xs = xs + xs }\noutput x"), "N218"),
    "doubling layers": (body("output y = x -> top: L40{}",
                             layers(40, "a = BELOW{}  return a(a(x))")), "N701"),
    "doubling instances": (body("output y = x -> top: L40{}",
                                layers(40, "return x -> a: BELOW{} -> b: BELOW{}")), "N701"),
    "doubling operations": (body("output y = x -> top: L40{}",
                                 layers(40, "a = BELOW{}  return a(relu(a(x)))")), "N701"),
    "layers in layers": (body("output y = x -> top: L150{}", layers(150, "return x -> a: BELOW{}")),
                         "N701"),
    "a size with many parts": (body("n = B\nfor (i in 0..99) { n = n * n + n }\noutput y = x * n"),
                               "N701"),
    "a size of deep quotients":
        (body("n = B\nfor (i in 0..999) { n = (3 * n + 1) // 2 }\noutput y = x * n"), "N701"),
    "a size of huge factors":
        (body("n = B\nfor (i in 0..9999) { n = n * 10 ** 300 }\noutput y = x * n"), "N701"),
    "a huge size compared": (body("if (B * 10 ** 400 < B) { x = relu(x) }\noutput y = z"), "N201"),
    "an index far out": (body("output y = x[_, 10 ** 400]"), "N225"),
    "a shape far out": (body("output y = reshape(x, [B, 10 ** 400])"), "N302"),
    "a float far out": (body("output y = x -> dropout(10 ** 400)"), "N205"),
    "a number far out": (body("output y = x * 10 ** 400"), "N216"),
    "an initialiser far out": (body("parameter p: f32[3] = normal(10 ** 400)\noutput x"), "N205"),
    "a list in itself":
        (body("xs = [1]\nfor (i in 0..10000) { xs = [xs, xs] }\noutput y = xs + x"), "N218"),
    "lists compared": (body("a = [1]\nb = [1]\nfor (i in 0..99) { a = [a, a]  b = [b, b] }\n"
                            "output y = x -> relu when a == b"), "N218"),
    "itself": (body("output y = x -> a: A{}", "layer A{}(x) { return x -> a: A{} }"), "N221"),
    "each other": (body("output y = x -> a: A{}", "layer A{}(x) { return x -> b: C{} }\n"
                                                  "layer C{}(x) { return x -> a: A{} }"), "N221"),
    "by a default": (body("output y = x -> a: A{}", "layer A{n = A{}}(x) { return x }"), "N229"),
    "through an argument":
        (body("output y = x -> a: A{}", "layer A{f = A}(x) { return x -> a: f{} }"), "N221"),
    "a deep expression in deep layers":
        (body("output y = x -> top: L99{}", layers(99, "y = " + "(" * 60 + "x" + ")" * 60 +
                                                   "  return y -> a: BELOW{}")), None),
}


def within_time(text: str) -> list[str]:
    begin = time.perf_counter()
    found = errors_of(text)
    assert time.perf_counter() - begin < SECONDS
    return found


@pytest.mark.parametrize("text, code", HOSTILE.values(), ids=HOSTILE)
def test_an_answer_soon(text, code):
    assert within_time(text) == ([code] if code else [])


def test_a_thousand_mistakes():
    text = body("\n".join(f"y{i} = nonsense{i}" for i in range(20_000)))
    assert 1 < len(within_time(text)) <= 50


def test_a_mistake_in_every_turn():
    text = body("for (i in 0..100000) { y = relu(z) * w -> q }\noutput x")
    assert within_time(text) == ["N201"] * 3


def test_long_names_and_lists_are_cut_in_messages():
    text = body(f"output y = {'a' * 100_000}")
    message, = (problem.describe().message for problem in problems_of(text))
    assert len(message) < 200_000
    problem, = problems_of(body("xs = 0..10000\noutput y = x -> fc: linear{reverse(xs)}"))
    assert len(problem.describe().marks[0].text) < 200


def test_a_long_chain_is_no_deep_one():
    graph = graph_of(body("output y = x" + " + 1" * 5000))
    assert len(graph.nodes) == 10_000


def test_nesting_is_safe_on_a_small_stack():
    """A thread's stack is smaller than the main one's; frames of Python do not lie on it."""
    text, _ = HOSTILE["a deep expression in deep layers"]
    found = []
    thread = threading.Thread(target=lambda: found.append(errors_of(text)))
    thread.start()
    thread.join()
    assert found == [[]]


def test_the_recursion_limit_is_put_back():
    before = sys.getrecursionlimit()
    errors_of(HOSTILE["itself"][0])
    assert sys.getrecursionlimit() == before
