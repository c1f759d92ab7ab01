"""The native door: the hospital's own applications, in plain JSON over the same records."""
