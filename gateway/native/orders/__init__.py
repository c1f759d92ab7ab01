"""Orders over the native door: made, listed, moved, reported on; and the lists of what can be ordered."""
