"""Search by code, by flag, and by a code that several columns tell together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from storage.model.shared import Coding, Concept
from storage.search.query import Coded, Composed, Flag, OfType, Token
from storage.search.scope import ONE, Columns, Test, alias, one_of


def coded(target: Coded, values: Sequence[Token | OfType], columns: Columns) -> Test:
    """Return that the code, and its system where one is asked for, is among the values."""
    bare = sorted(
        {v.code for v in values if isinstance(v, Token) and v.system is None and v.code is not None}
    )
    tests: list[Test] = [one_of(columns[target.code], bare)] if bare else []
    if Token(None, None) in values:
        tests.append(columns[target.code].is_not(None))
    by_system: dict[str, list[str | None]] = {}
    for value in values:
        if isinstance(value, OfType):
            tests.append(_of_type(target, value, columns))
        elif value.system is not None:
            by_system.setdefault(value.system, []).append(value.code)
    tests += [_in_system(target, system, codes, columns) for system, codes in by_system.items()]
    return sa.or_(*tests)


def _in_system(target: Coded, system: str, codes: Sequence[str | None], columns: Columns) -> Test:
    """Return that the code is one of those of a system; None is any."""
    held = sa.null() if target.system is None else columns[target.system]
    code = columns[target.code]
    return sa.and_(
        held == system if system else held.is_(None),
        code.is_not(None) if None in codes else one_of(code, codes),
    )


def _of_type(target: Coded, value: OfType, columns: Columns) -> Test:
    concept, coding = alias(Concept.table), alias(Coding.table)
    typed = (
        sa.select(ONE)
        .select_from(concept.join(coding, coding.c.concept_id == concept.c.id))
        .where(concept.c.child_id == columns["id"], concept.c.element == target.kind)
        .where(coding.c.code == value.code, coding.c.system == value.system)
    )
    return sa.and_(columns[target.code] == value.value, sa.exists(typed.correlate_except(concept, coding)))


def flag(target: Flag, values: Sequence[Token], columns: Columns) -> Test:
    """Return that the flag is as asked: a value's code is ``true`` or ``false``."""
    wanted = {value.code for value in values}
    column = columns[target.column]
    if not target.also:
        return one_of(column, [code == "true" for code in sorted(str(code) for code in wanted)])
    if len(wanted) > 1:
        return sa.true()
    held = sa.or_(column, *(columns[name].is_not(None) for name in target.also))
    return held.is_(sa.true()) if "true" in wanted else held.is_not(sa.true())


def composed(target: Composed, values: Sequence[Token], columns: Columns) -> Test:
    """Return that the columns tell one of the codes; a code that they cannot tell is never found."""
    wanted = {value.code for value in values}
    cases = [_case(columns, case) for code, case in target.cases if code in wanted]
    return sa.or_(*cases) if cases else sa.false()


def _case(columns: Columns, case: tuple[tuple[str, tuple[Any, ...]], ...]) -> Test:
    return sa.and_(*(one_of(columns[name], allowed) for name, allowed in case))
