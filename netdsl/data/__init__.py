"""Data: sources (`sources.py` has the table), transforms (`transforms.py`), and how rows of a data
set become what a model is fed (`feeds.py`, `batches.py`)."""
