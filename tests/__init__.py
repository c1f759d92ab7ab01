"""The test suite; see conftest.py for what a test may ask for."""

from __future__ import annotations
