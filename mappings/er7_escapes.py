r"""Escape sequences in values: `\F\`, `\X0D\`, `\.br\` and so on (HL7 v2.5.1, section 2.7).

https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from functools import lru_cache

from mappings.er7_delimiters import DEFAULT, Delimiters


@lru_cache(maxsize=64)
def _pattern(escape: str) -> re.Pattern[str]:
    # Only known sequences match, so that in "C:\temp\F\" the stray escape character takes nothing with it.
    # Neighbouring \X..\ are taken together: a character of several bytes is often written byte by byte.
    e = re.escape(escape)
    byte = "[0-9A-Fa-f]{2}"
    hexadecimal = rf"(?P<hex>X(?:{byte})+(?:{e}{e}X(?:{byte})+)*)"
    charset = rf"(?P<charset>[CM](?:{byte}){{2,3}})"
    sign = "".join(re.escape(character) for character in " +-" if character != escape)
    command = rf"\.(?:(?P<command>(?i:br|ce|fi|nf|sp|sk|in|ti))(?:[{sign}]?(?P<number>\d{{1,2}}))?)"
    known = rf"(?P<letter>[FSTREPHN])|{hexadecimal}|{command}|{charset}"
    return re.compile(rf"{e}(?:{known}){e}(?(charset)(?P<run>[^{e}]*))")


def unescape(text: str, delimiters: Delimiters) -> str:
    r"""The text with its escape sequences resolved.

    Line commands (`\.br\`, `\.ce\`, `\.sp2\`) become line ends, `\.sk3\` spaces; indents, fill modes and
    highlighting go. Hexadecimal data is read as UTF-8, else as windows-1252. After `\Cxxyy\` and `\Mxxyyzz\`
    the text is read in the character set of ISO 2022 that they name. What is unknown, local (`\Z..\`) or
    unreadable stays as it is.
    """
    if delimiters.escape not in text:
        return text
    return _pattern(delimiters.escape).sub(lambda match: _resolve(match, delimiters), text)


def _resolve(match: re.Match[str], delimiters: Delimiters) -> str:
    if letter := match["letter"]:
        return _letters(delimiters)[letter]
    if data := match["hex"]:
        return _characters(bytes.fromhex(data[1:].replace(delimiters.escape * 2 + "X", "")))
    if command := match["command"]:
        return _layout(command.lower(), int(match["number"] or 1))
    return _switched(match)


@lru_cache(maxsize=64)
def _letters(d: Delimiters) -> dict[str, str]:
    separators = {"F": d.field, "S": d.component, "T": d.subcomponent, "R": d.repetition, "E": d.escape}
    return {**separators, "P": d.truncation or "#", "H": "", "N": ""}


def _characters(data: bytes) -> str:
    for charset in ("utf-8", "windows-1252"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    return data.decode("iso-8859-1")


def _layout(command: str, number: int) -> str:
    if command in ("br", "ce"):
        return "\n"
    return {"sp": "\n", "sk": " "}.get(command, "") * number


def _switched(match: re.Match[str]) -> str:
    shift = b"\x1b" + bytes.fromhex(match["charset"][1:])
    for charset in ("iso2022_jp_2", "iso2022_jp_ext"):
        try:
            text = (shift + match["run"].encode("ascii")).decode(charset)
        except UnicodeError:
            continue
        if "\x1b" not in text:  # the codec passes on what it does not know
            return text
    return match[0]


def respell(raw: str, delimiters: Delimiters) -> str:
    """A field as it is written with the usual delimiters."""
    if (delimiters.field, delimiters.encoding_characters[:4]) == (DEFAULT.field, DEFAULT.encoding_characters):
        return raw
    return "~".join(
        "^".join(
            "&".join(
                escape(unescape(text, delimiters), DEFAULT) for text in part.split(delimiters.subcomponent)
            )
            for part in repetition.split(delimiters.component)
        )
        for repetition in raw.split(delimiters.repetition)
    )


def escape(text: str, delimiters: Delimiters) -> str:
    r"""The text as it may stand in a field: `unescape` gives it back unchanged.

    Delimiters become `\F\` and so on, a line feed `\.br\`, other control characters `\Xdd\`, frame bytes too.
    """
    return text.translate(_escapes(delimiters))


@lru_cache(maxsize=64)
def _escapes(d: Delimiters) -> dict[int, str]:
    def sequence(inner: str) -> str:
        return d.escape + inner + d.escape

    table = {code: sequence(f"X{code:02X}") for code in range(32) if code != ord("\t")}
    if "." not in d.field + d.encoding_characters:
        table[ord("\n")] = sequence(".br")
    letters = {name: character for name, character in _letters(d).items() if name in "FSTRE"}
    if d.truncation:
        letters["P"] = d.truncation
    return table | {ord(character): sequence(name) for name, character in letters.items()}
