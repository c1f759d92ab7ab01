"""The elements that every resource has: its metadata, language and narrative, kept in the row of
``resource``.

https://hl7.org/fhir/R4/resource.html and https://hl7.org/fhir/R4/domainresource.html
"""

from __future__ import annotations

from mappings.codecs import BOOL, CODE, TEXT
from mappings.element import Mapping, many, one, part
from storage.model.resource import Resource, ResourceMeta

PROFILE = Mapping(type="canonical", table=ResourceMeta, scalar="system")
META_CODING = Mapping(
    type="Coding",
    table=ResourceMeta,
    lines=(
        one("system", ResourceMeta.system, TEXT),
        one("version", ResourceMeta.version, TEXT),
        one("code", ResourceMeta.code, TEXT),
        one("display", ResourceMeta.display, TEXT),
        one("userSelected", ResourceMeta.user_selected, BOOL),
    ),
)
COMMON = Mapping(
    type="Resource",
    table=Resource,
    lines=(
        part(
            "meta",
            one("source", Resource.meta_source, TEXT, search="_source:uri"),
            many("profile", PROFILE, at="profile", search="_profile:uri"),
            many("security", META_CODING, at="security", search="_security:token"),
            many("tag", META_CODING, at="tag", search="_tag:token"),
        ),
        one("implicitRules", Resource.implicit_rules, TEXT),
        one("language", Resource.language, TEXT),
        part(
            "text",
            one("status", Resource.text_status, CODE),
            one("div", Resource.text_div, TEXT),
        ),
    ),
)
