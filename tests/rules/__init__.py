"""Rules of the house, as tests: layers, budgets, names, and what may be done where."""

from __future__ import annotations
