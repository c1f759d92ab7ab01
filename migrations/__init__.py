"""Alembic revisions of the relational model."""

from __future__ import annotations
