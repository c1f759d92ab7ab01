"""Many patients at once: read from files, written in batches, and given as files."""
