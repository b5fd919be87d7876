"""netdsl: a declarative graph compiler for neural networks."""

__version__ = "0.1.0"
