"""Which character set a message is written in (MSH-18, HL7 table 0211), and its text.

https://hl7.org/fhir/R4/v2/0211/index.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mappings.er7_delimiters import NotHl7

_LATIN = {f"8859{part}": f"iso-8859-{part}" for part in (*range(1, 12), 13, 14, 15)}
_REGISTERED = {100: 1, 101: 2, 109: 3, 110: 4, 144: 5, 127: 6, 126: 7, 138: 8, 148: 9, 166: 11}

# Keys are the names of the table in upper case, less blanks and punctuation; then spellings met in the field.
_CODECS: dict[str, str] = {
    "ASCII": "ascii",
    **_LATIN,
    "ISOIR6": "ascii",
    "ISOIR13": "shift_jis",
    "ISOIR14": "iso2022_jp_2",
    "ISOIR87": "iso2022_jp_2",
    "ISOIR159": "iso2022_jp_2",
    "GB180302000": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    **{f"ISO{name}": codec for name, codec in _LATIN.items()},
    **{f"ISOIR{number}": f"iso-8859-{part}" for number, part in _REGISTERED.items()},
    "ISOIR192": "utf-8",
    "UTF8": "utf-8",
    "USASCII": "ascii",
    "LATIN1": "iso-8859-1",
    "WINDOWS1252": "windows-1252",
    "CP1252": "windows-1252",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "SHIFTJIS": "shift_jis",
}
_WIDE = re.compile(r"UTF(16|32)|UCS[24]")
# A message in UTF-16 or UTF-32 begins with a byte order mark or has zero bytes around the letters of MSH.
_WIDE_BYTES = re.compile(rb"\xff\xfe|\xfe\xff|\x00\x00\xfe\xff|\x00{1,3}M\x00{1,3}S\x00|M\x00{1,3}S\x00")
_CONTROLS = re.compile(rb"[\x80-\x9f]")


class UnsupportedCharset(NotHl7):
    """UTF-16 or UTF-32: such a text may hold the bytes that end a frame."""


class Decoded(NamedTuple):
    """A text, the charset that it was read in (a name that Python knows), and what was odd."""

    text: str
    charset: str
    warnings: list[str]


def codec_of(name: str) -> str | None:
    """Python's name for a character set of table 0211, or None if it is not known.

    Raises UnsupportedCharset for UTF-16 and UTF-32.
    """
    if is_wide(name):
        raise UnsupportedCharset("UTF-16 and UTF-32 can not be carried over MLLP")
    return _CODECS.get(_key(name))


def _key(name: str) -> str:
    return re.sub(r"[\s/_.-]", "", name.upper())


@lru_cache(maxsize=256)
def is_known(name: str) -> bool:
    """Tell whether a character set is known here, and can be carried in a frame."""
    return not is_wide(name) and codec_of(name) is not None


@lru_cache(maxsize=256)
def is_wide(name: str) -> bool:
    """Tell whether a name is that of UTF-16, UTF-32 or the like."""
    return _WIDE.search(_key(name)) is not None


def switches(name: str) -> bool:
    """Tell whether a character set is one of ISO 2022, which begins as ASCII and switches."""
    return is_known(name) and (codec_of(name) or "").startswith("iso2022")


def refuse_wide(raw: bytes) -> None:
    """Raises UnsupportedCharset if the bytes are evidently UTF-16 or UTF-32."""
    if _WIDE_BYTES.match(raw):
        raise UnsupportedCharset("the message is in UTF-16 or UTF-32")


def decode(raw: bytes, *, marked: bool, label: str, default: str | None) -> Decoded:
    """Read bytes, less any byte order mark, as text; never fails.

    A UTF-8 byte order mark (`marked`) decides, then `label` (MSH-18), then `default` (a name of table
    0211), then UTF-8, then windows-1252. A label of a one-byte set gives way to non-ASCII bytes that are
    valid UTF-8; a label of a many-byte set is believed where it fits, since short texts in those sets may
    pass for UTF-8.

    Raises UnsupportedCharset for UTF-16 and UTF-32, ValueError for a default that is not known.
    """
    if marked and (text := _strictly(raw, "utf-8")) is not None:
        return Decoded(text, "utf-8", [])
    codec = codec_of(label) if label else None
    if codec is None:
        return _unlabelled(raw, default, ["MSH-18 names an unknown character set"] if label else [])
    if _single(codec) and not raw.isascii() and (text := _strictly(raw, "utf-8")) is not None:
        return Decoded(text, "utf-8", ["MSH-18 does not say UTF-8, but the message is in UTF-8"])
    if codec == "iso-8859-1" and _CONTROLS.search(raw):
        return _unlabelled(raw, "windows-1252", ["MSH-18 says 8859/1, but the message is in windows-1252"])
    if (text := _strictly(raw, codec)) is not None:
        return Decoded(text, codec, [])
    return _unlabelled(raw, default, ["the message is not in the character set that MSH-18 names"])


def _single(codec: str) -> bool:
    return codec == "ascii" or codec.startswith(("iso-8859", "windows"))


def _unlabelled(raw: bytes, default: str | None, warnings: list[str]) -> Decoded:
    for codec in _candidates(default):
        if (text := _strictly(raw, codec)) is not None:
            if codec == "windows-1252" != default:
                warnings.append("the message is not UTF-8; it was read as windows-1252")
            return Decoded(text, codec, warnings)
    warnings.append("the message is neither UTF-8 nor windows-1252; it was read as 8859/1")
    return Decoded(raw.decode("iso-8859-1"), "iso-8859-1", warnings)


def _candidates(default: str | None) -> list[str]:
    if default is None:
        return ["ascii", "utf-8", "windows-1252"]
    known = codec_of(default)
    if known is None:
        raise ValueError(f"unknown default character set: {default}")
    return [known, "utf-8", "windows-1252"]


def _strictly(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return None
