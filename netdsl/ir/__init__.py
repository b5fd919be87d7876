"""The graph as data: sizes, types, operations' contract, nodes. No pass lives here."""
