from __future__ import annotations

import ast
import re
import subprocess

from tests.rules.source import ROOT, Source, sources

BY_THE_STANDARD = (
    "gateway/fhir",
    "gateway/mllp",
    "mappings",
    "tests/unit/fhir",
    "tests/unit/mllp",
    "tests/unit/mappings",
)
EMPTY_NAMES = re.compile(r"Impl\b|Impl[A-Z]|Manager|Helper")
EMPTY_FILES = {"util.py", "utils.py", "helper.py", "helpers.py", "misc.py"}
# Put together here, so that this file does not find itself.
WORKPLACE = re.compile(r"(?<![\w.:/-])/(?:wor" + r"k|tm" + r"p)/|pyp" + r"i\.org|pythonhosted" + r"\.org")
CLOCK_AND_CHANCE = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("uuid", "uuid1"),
    ("uuid", "uuid4"),
    ("uuid", "uuid7"),
}


def test_each_module_of_the_standard_names_its_page() -> None:
    silent = [
        source.name
        for folder in BY_THE_STANDARD
        for source in sources(folder)
        if source.defines_something and "hl7.org" not in (ast.get_docstring(source.tree) or "")
    ]
    assert silent == []


def test_only_the_app_takes_the_time_and_makes_ids() -> None:
    wrong = [
        f"{source.name}:{line} {name}"
        for source in sources()
        if source.name != "gateway/app.py"
        for line, name in clock_and_chance(source)
    ]
    assert wrong == []


def clock_and_chance(source: Source) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            if (owner, node.attr) in CLOCK_AND_CHANCE:
                found.append((node.lineno, f"{owner}.{node.attr}"))
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names if (node.module, alias.name) in CLOCK_AND_CHANCE]
            found.extend((node.lineno, f"{node.module}.{name}") for name in names)
    return found


def test_a_call_of_the_clock_is_found_however_it_is_written() -> None:
    for text in ("datetime.datetime.now()", "datetime.now(UTC)", "from uuid import uuid4", "uuid.uuid4()"):
        assert clock_and_chance(Source("", text)), text
    for text in ("clock.now()", "time.monotonic()", "from uuid import UUID"):
        assert not clock_and_chance(Source("", text)), text


def test_names_say_what_a_thing_is() -> None:
    empty = [source.name for source in sources() if source.name.rpartition("/")[2] in EMPTY_FILES]
    empty += [
        f"{source.name}:{node.lineno} {node.name}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and EMPTY_NAMES.search(node.name)
    ]
    assert empty == []


def test_texts_speak_of_suture_and_not_of_the_place_where_it_is_made() -> None:
    assert WORKPLACE.search("see /" + "tmp/x")
    assert not WORKPLACE.search("https://example.org/work/x")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    wrong: list[str] = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and (found := WORKPLACE.search(path.read_bytes().decode(errors="replace"))):
            wrong.append(f"{name}: {found[0]}")
    assert wrong == []
