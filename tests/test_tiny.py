"""The whole product on one screen: a text becomes a network, learns, and runs as ONNX."""

from __future__ import annotations

import numpy as np

import netdsl

TEXT = """
net 1

model Xor{width = 16} {
    input x: f32[B, 2]
    input label: i64[B] in 0..2

    h = x -> hidden: linear{width} -> tanh
    logits = h -> out: linear{2}

    output logits
    loss   ce    = cross_entropy(logits, label)
    metric right = accuracy(logits, label)
}

train Xor { minimize ce with adam(lr = 0.05) }
"""


def test_from_text_to_onnx(tmp_path):
    path = tmp_path / "xor.net"
    path.write_text(TEXT, "utf-8")
    model = netdsl.load(path, width=8)
    assert {name: type.shape for name, type in model.parameters.items()} == {
        "hidden.weight": (8, 2), "hidden.bias": (8,), "out.weight": (2, 8), "out.bias": (2,),
    }

    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    label = np.array([0, 1, 1, 0])
    trainer = model.trainer(seed=1)
    losses = [trainer.step({"x": x, "label": label})["ce"] for _ in range(150)]
    assert losses[0] > 0.5 and losses[-1] < 0.05
    weights = trainer.weights

    answer = model.run({"x": x}, weights)["logits"]
    assert answer.argmax(1).tolist() == label.tolist()
    scores = model.run({"x": x, "label": label}, weights, phase="validate")
    assert scores["right"] == 1.0 and np.isclose(scores["ce"], losses[-1], atol=0.02)

    exported = model.to_onnx(tmp_path / "xor.onnx", weights)
    assert exported.largest_difference < 1e-5

    from netdsl.backends.onnx import Session

    again = Session(tmp_path / "xor.onnx").run({"x": x})["logits"]
    assert np.allclose(again, answer, rtol=1e-5, atol=1e-6)

    netdsl.save_weights(tmp_path / "xor.safetensors", weights)
    loaded = netdsl.load_weights(tmp_path / "xor.safetensors")
    assert np.array_equal(model.run({"x": x}, loaded)["logits"], answer)
