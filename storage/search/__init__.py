"""Search: a typed query in, a page of stored versions out; one file for each kind of search."""

from __future__ import annotations

from storage.search.include import TooMany
from storage.search.page import BadCursor
from storage.search.query import Query
from storage.search.run import Page, run

__all__ = ["BadCursor", "Page", "Query", "TooMany", "run"]
