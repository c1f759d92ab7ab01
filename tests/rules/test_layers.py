from __future__ import annotations

import ast

import pytest

from tests.rules.source import inside, sources

FORBIDDEN = {
    "storage": ("gateway", "mappings", "conformance", "fhir", "hl7apy", "litestar", "granian", "asyncio"),
    "mappings": ("gateway", "conformance", "migrations", "litestar", "granian"),
    "gateway": ("conformance",),
    "migrations": ("gateway", "mappings", "conformance"),
    "conformance": ("gateway", "mappings", "storage", "migrations"),
}

PURE = (
    "mappings/",
    "gateway/mllp/framing.py",
    "gateway/mllp/acknowledge.py",
    "gateway/fhir/wire.py",
    "gateway/fhir/validate.py",
    "gateway/fhir/params.py",
    "gateway/fhir/media.py",
    "gateway/fhir/xml",
)
INPUT_AND_OUTPUT = (
    "asyncio",
    "http.client",
    "httpx",
    "litestar",
    "multiprocessing",
    "psycopg",
    "selectors",
    "socket",
    "sqlalchemy.engine",
    "sqlalchemy.orm",
    "ssl",
    "storage.embedded",
    "storage.migrate",
    "storage.session",
    "subprocess",
    "threading",
    "urllib.request",
)


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_imports_run_one_way(layer: str) -> None:
    wrong = [
        f"{source.name} imports {name}"
        for source in sources(layer)
        for name in source.imports()
        if inside(name, FORBIDDEN[layer])
    ]
    assert wrong == []


def test_protocol_code_does_no_input_or_output() -> None:
    pure = [source for source in sources() if source.name.startswith(PURE)]
    assert pure, "there is protocol code to look at"
    wrong = [
        f"{source.name} imports {name}"
        for source in pure
        for name in source.imports()
        if inside(name, INPUT_AND_OUTPUT)
    ]
    assert wrong == []


def test_only_storage_and_the_migrations_hand_statements_to_the_database() -> None:
    talking = [
        f"{source.name}:{node.lineno}"
        for source in sources("gateway", "mappings")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("execute", "executemany", "copy_expert")
    ]
    assert talking == []
