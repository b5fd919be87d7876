#!/usr/bin/env python3
"""A tour of netdsl: a network from its text to an ONNX file, on real data, in under a minute.

    python3 tools/demo.py

Trains models/digits.net on 1,442 handwritten digits, tests it on 355 others, compiles it to ONNX
and compares ONNX Runtime with NumPy on all of them. Everything it writes lies in runs/digits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

from environment import PROJECT, enter_environment

OUT = Path("runs/digits")
ENOUGH = 0.98  # of the test images


def main() -> int:
    import numpy as np

    import netdsl
    from netdsl.backends.onnx import Session
    from netdsl.cli.progress import progress
    from netdsl.cli.terminal import look
    from netdsl.data.batches import Batches
    from netdsl.data.digits import Digits
    from netdsl.training.evaluate import evaluate
    from netdsl.views.confusion import confusion_text
    from netdsl.views.curves import curves_text
    from netdsl.views.summary import summary_text

    heading("The network, as models/digits.net describes it")
    model = netdsl.load(PROJECT / "models" / "digits.net")
    print(summary_text(model.summary(), **look()))

    heading("Training: Adam, written as operations of the same graph, run by NumPy")
    began = perf_counter()
    with progress() as observer:
        history = model.train(out=PROJECT / OUT, seed=0, observer=observer)
    seconds = perf_counter() - began
    print(f"\n{curves_text(history, **look())}")
    print(f"\n{len(history.epochs)} epochs in {seconds:.1f} s")

    heading("The test: every fifth image of each class, never trained on")
    digits = Digits().load()
    batches = list(Batches(model.graph, digits, size=355).validation())
    measured = evaluate(model.graph, history.weights, batches)
    accuracy = measured.metrics["top1"]
    print(f"{accuracy:.2%} of {measured.rows} images are recognised\n")
    print(confusion_text(measured.confusion, digits.classes, **look()))

    heading("ONNX: dropout gone, batch norms folded, checked, compared with NumPy")
    exported = model.to_onnx(PROJECT / OUT / "digits.onnx", history.weights)
    session = Session(exported.path)
    largest = 0.0
    for batch in batches:
        images = {"image": batch["image"]}
        ours, theirs = model.run(images, history.weights), session.run(images)
        apart = np.abs(ours["logits"] - theirs["logits"]).max() / np.abs(ours["logits"]).max()
        largest = max(largest, float(apart))
    print(f"{exported.nodes} nodes, opset {exported.opset}. On the {measured.rows} test images "
          f"ONNX Runtime and NumPy differ\nby at most {largest:.1e} of the largest output.")

    heading("Written")
    for path in sorted((PROJECT / OUT).iterdir()):
        print(f"  {OUT / path.name}  {path.stat().st_size:,} bytes")
    if accuracy < ENOUGH or largest > 1e-5:
        print(f"\nThis is not as it should be: at least {ENOUGH:.0%} and at most 1e-5.")
        return 1
    return 0


def heading(text: str) -> None:
    print(f"\n== {text}\n", flush=True)


if __name__ == "__main__":
    enter_environment()
    from netdsl import Refused

    try:
        sys.exit(main())
    except Refused as refused:  # Ctrl-C while training, a full disk
        sys.exit(str(refused))
