"""The README's first command, without the environment it makes."""

from __future__ import annotations

import importlib.util
import re
import sys

from commands import ROOT


def test_the_tour_reaches_its_end(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("demo", ROOT / "tools" / "demo.py")
    demo = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo", demo)
    spec.loader.exec_module(demo)
    monkeypatch.setattr(demo, "OUT", tmp_path / "digits")
    assert demo.main() == 0
    shown = capsys.readouterr().out
    accuracy, = re.findall(r"([\d.]+)% of 355 images are recognised", shown)
    assert float(accuracy) >= 98
    written = {path.name for path in (tmp_path / "digits").iterdir()}
    assert {"digits.onnx", "best.safetensors", "history.json"} <= written
    assert all(f"digits/{name}  " in shown for name in written)
