"""Data: sources (`sources.py` has the table), transforms (`transforms.py`), random draws
(`noise.py`), and how rows become what a model is fed (`ways.py`, `feeds.py`, `batches.py`)."""
