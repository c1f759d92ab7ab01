"""What search needs beside: quantities in comparable units, the words of each resource, more indexes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.words import add, canonical, index, key, table

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UCUM = "http://unitsofmeasure.org"
COMPARED = (
    ("observation", "value"),
    ("observation_component", "value"),
    ("diagnosis", "onset_age"),
    ("diagnosis", "abatement_age"),
    ("encounter", "length"),
    ("search_quantity", "amount"),
)
# Unit, factor, unit of its kind: what rows that are there are likely to have. Others get theirs when they
# are next written.
UNITS = """
g 1 g|mg 0.001 g|ug 0.000001 g|kg 1000 g|[lb_av] 453.59237 g|[oz_av] 28.349523125 g
m 1 m|cm 0.01 m|mm 0.001 m|um 0.000001 m|[in_i] 0.0254 m|[ft_i] 0.3048 m
L 0.001 m3|l 0.001 m3|dL 0.0001 m3|mL 0.000001 m3|ml 0.000001 m3|cm3 0.000001 m3
min 1 min|h 60 min|d 1440 min|wk 10080 min|mo 43830 min|a 525960 min
g/L 1000 g.m-3|g/dL 10000 g.m-3|mg/dL 10 g.m-3|mg/L 1 g.m-3|ug/L 0.001 g.m-3|ng/mL 0.001 g.m-3
ug/mL 1 g.m-3|ug/dL 0.01 g.m-3|mmol/L 1 m-3.mol|umol/L 0.001 m-3.mol|nmol/L 0.000001 m-3.mol
meq/L 1 eq.m-3|U/L 0.001 m-3.min-1.mol|10*3/uL 1000000000000 m-3|10*9/L 1000000000000 m-3
10*6/uL 1000000000000000 m-3|10*12/L 1000000000000000 m-3
mm[Hg] 479959200 g.m-1.min-2|kPa 3600000000 g.m-1.min-2|/min 1 min-1|{beats}/min 1 min-1
K 1 K|% 0.01 1|1 1 1|{score} 1 1|kg/m2 1000 g.m-2|mL/min 0.000001 m3.min-1|L/min 0.001 m3.min-1|deg 1 deg
"""
FILL = """
UPDATE {table} SET
    {name}_canonical = trim_scale({name}_value * u.factor + u.zero), {name}_canonical_unit = u.kind
FROM (VALUES {units}) AS u(code, factor, zero, kind)
WHERE {name}_system = '{ucum}' AND {name}_code = u.code AND {name}_value IS NOT NULL
"""

# A number that only json can hold, or a text too large, must not keep a resource from being stored.
PARSE = """
CREATE FUNCTION json_or_null(content bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN convert_from(content, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$
"""
WORDS = """
CREATE FUNCTION content_words(content bytea, whole jsonb) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN whole IS NULL OR octet_length(content) > 300000
        THEN to_tsvector('simple', left(convert_from(content, 'UTF8'), 120000))
        ELSE jsonb_to_tsvector('simple', whole, '["string", "numeric"]') END
$$
"""
KEEP = """
CREATE FUNCTION keep_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    whole jsonb;
BEGIN
    IF NEW.content IS NULL THEN
        DELETE FROM search_text WHERE id = NEW.resource_id;
        RETURN NULL;
    END IF;
    whole := json_or_null(NEW.content);
    INSERT INTO search_text (id, narrative, content)
    VALUES (
        NEW.resource_id,
        to_tsvector('simple', left(whole #>> '{text,div}', 120000)),
        content_words(NEW.content, whole)
    )
    ON CONFLICT (id) DO UPDATE SET narrative = EXCLUDED.narrative, content = EXCLUDED.content;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER search_text AFTER INSERT ON resource_version
FOR EACH ROW EXECUTE FUNCTION keep_search_text()
"""
FILL_TEXT = """
INSERT INTO search_text (id, narrative, content)
SELECT v.resource_id, to_tsvector('simple', left(j.whole #>> '{text,div}', 120000)),
    content_words(v.content, j.whole)
FROM resource r JOIN resource_version v ON v.resource_id = r.id AND v.version = r.version,
    LATERAL (SELECT json_or_null(v.content) AS whole) j
WHERE v.content IS NOT NULL
"""


def upgrade() -> None:
    for name, column in COMPARED:
        add(name, canonical(f"{column}_canonical"))
    fill_quantities()
    index_more()
    table(
        "search_text",
        key("id", "resource.id", is_primary=True, ondelete="CASCADE"),
        lexemes("narrative", "content"),
    )
    for column in ("narrative", "content"):
        op.create_index(f"ix_search_text_{column}", "search_text", [column], postgresql_using="gin")
    for statement in (PARSE, WORDS, KEEP, TRIGGER, FILL_TEXT):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER search_text ON resource_version")
    for name in ("keep_search_text()", "content_words(bytea, jsonb)", "json_or_null(bytea)"):
        op.execute(f"DROP FUNCTION {name}")
    op.drop_table("search_text")
    op.drop_index("ix_search_quantity_canonical", "search_quantity")
    for name in ("ix_res_source", "ix_res_all"):
        op.drop_index(name, "resource")
    for name, columns in INDEXES:
        op.drop_index(f"ix_{name}_{'_'.join(columns)}"[:63], name)
    for name, column in COMPARED:
        for suffix in ("canonical_unit", "canonical"):
            op.drop_column(name, f"{column}_{suffix}")


INDEXES = (
    *((name, (f"{column}_canonical_unit", f"{column}_canonical")) for name, column in COMPARED[:-1]),
    ("observation", ("value_value",)),
    ("observation_component", ("value_value",)),
    ("allergy", ("criticality",)),
    ("allergy", ("type",)),
    ("allergy", ("recorded_date_lo",)),
    ("allergy", ("last_occurrence_lo",)),
    ("medication", ("status",)),
    ("medication", ("effective_lo",)),
    ("diagnosis", ("onset_lo",)),
    ("diagnosis", ("asserted_date_lo",)),
    ("report", ("status",)),
    ("document", ("status",)),
    ("document", ("context_period_lo",)),
    ("encounter", ("status",)),
    ("practitioner", ("gender",)),
    ("procedure", ("status",)),
    ("service_order", ("intent",)),
    ("observation", ("status",)),
    ("specimen", ("status",)),
)


def index_more() -> None:
    """Index what is compared."""
    for name, columns in INDEXES:
        add(name, index(*columns))
    live = "deleted_at IS NULL"
    add("resource", index("last_updated", "id", where=live, name="ix_res_all"))
    add("resource", index("meta_source", where="meta_source IS NOT NULL", name="ix_res_source"))
    columns = ("element", "amount_canonical_unit", "amount_canonical")
    add("search_quantity", index(*columns, name="ix_search_quantity_canonical"))


def fill_quantities() -> None:
    """Compare the quantities that are there."""
    entries = [entry.split() for line in UNITS.split("\n") for entry in line.split("|") if entry]
    listed = [(code, factor, "0", kind) for code, factor, kind in entries]
    listed.append(("Cel", "1", "273.15", "K"))
    units = ", ".join(f"('{code}', {factor}, {zero}, '{kind}')" for code, factor, zero, kind in listed)
    for name, column in COMPARED:
        op.execute(FILL.format(table=name, name=column, units=units, ucum=UCUM))


def lexemes(*names: str) -> list[sa.Column[Any]]:
    """Make columns of words."""
    return [sa.Column(name, postgresql.TSVECTOR()) for name in names]
