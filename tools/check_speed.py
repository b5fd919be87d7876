#!/usr/bin/env python3
"""How long reading and checking takes: ResNet-152, then chains that double in length.

    python3 tools/check_speed.py

Times are those of the processor, the best of several, without the loading of Python and netdsl.
A chain that is twice as long should take about twice as long: the last column says how much more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from time import process_time

from environment import PROJECT, enter_environment

SHORTER = 5_000  # terms or layers of a chain; the longer has twice as many
CHAINS = {
    "1 + 1 + …": lambda n: model("n = 1" + " + 1" * n + "\noutput y = x * n"),
    "B + B + …": lambda n: model("n = B" + " + B" * n + "\noutput y = x * n"),
    "x + x + …": lambda n: model("output y = x" + " + x" * n),
    "x -> relu -> …": lambda n: model("output y = x" + " -> relu" * n),
    "x = x -> relu": lambda n: model("x = x -> relu\n" * n + "output x"),
    "x -> a: linear{3} -> …": lambda n: model(
        "output y = x" + "".join(f" -> a{i}: linear{{3}}" for i in range(n))),
    "for … relu": lambda n: model(f"for (i in 0..{n}) {{ x = x -> relu }}\noutput x"),
    "for … linear{3}": lambda n: model(
        f"l: for (i in 0..{n}) {{ x = x -> linear{{3}} }}\noutput x"),
    "for … conv, free sizes": lambda n: model(
        f"l: for (i in 0..{n}) {{ x = x -> conv{{4, k = 3, pad = 1}} }}\noutput x",
        x="f32[B, 4, H, W]"),
    "layers": lambda n: "".join(
        f"layer L{i}(x) {{ return x }}\n" for i in range(n)) + model("output x"),
    "presets": lambda n: model("output x") + "".join(f"model P{i} = M\n" for i in range(n // 10)),
    "mistakes": lambda n: model("".join(f"y{i} = z{i}\n" for i in range(n)) + "output x"),
}


def main() -> int:
    for name, seconds in resnet152():
        print(f"{name:36} {1000 * seconds:6.0f} ms")
    print()
    for name, text in CHAINS.items():
        short, long = (best_of(3, lambda: check(text(n))) for n in (SHORTER, 2 * SHORTER))
        print(f"{name:28} {1000 * short:6.0f} ms {1000 * long:6.0f} ms   × {long / short:.1f}")
    return 0


def resnet152() -> Iterator[tuple[str, float]]:
    from netdsl.build.model import build_model
    from netdsl.compiler import choose, open_file
    from netdsl.diagnostics import Report
    from netdsl.language.parser import parse
    from netdsl.language.text import read_source

    path = PROJECT / "models" / "resnet.net"
    source = read_source(path)
    yield "ResNet-152, for the first time", best_of(1, lambda: check(source.text, "ResNet152"))
    yield "ResNet-152, read and checked", best_of(10, lambda: check(source.text, "ResNet152"))
    yield "    parse", best_of(10, lambda: parse(source))
    definition = choose(open_file(path, Report()), "ResNet152")
    yield "    build", best_of(10, lambda: build_model(definition, Report()))


def check(text: str, name: str | None = None) -> None:
    """What `netdsl check` does, but for reading the file and telling what was found."""
    from netdsl.build.modules import load_module
    from netdsl.cli.check import build_all
    from netdsl.diagnostics import Report
    from netdsl.source import Source

    report = Report()
    build_all(load_module(Source("chain.net", text), report), name, {}, report)


def model(body: str, x: str = "f32[B, 3]") -> str:
    return f"model M {{\n    input x: {x}\n{body}\n}}\n"


def best_of(times: int, work: Callable[[], object]) -> float:
    """Seconds of the processor for the fastest of several runs."""
    measured = []
    for _ in range(times):
        began = process_time()
        work()
        measured.append(process_time() - began)
    return min(measured)


if __name__ == "__main__":
    enter_environment()
    sys.exit(main())
