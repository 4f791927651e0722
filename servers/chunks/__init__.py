"""An hour of one server's process tables in one piece of bytes: docs/history-format.md describes the format."""
