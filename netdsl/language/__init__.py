"""Text to syntax tree and back: `parser.parse`, `formatter.format_file`, and `ast` between them."""
