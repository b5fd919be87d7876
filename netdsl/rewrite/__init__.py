"""Graph to graph, one deed a file."""
