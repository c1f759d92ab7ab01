"""The research registry: eight kinds of case and four kinds of member, each a typed table."""

from __future__ import annotations

from storage.model.research import hip, knee, member, other, shoulder
from storage.model.research.common import COMMON
from storage.model.research.registry import CaseKind, Column

KINDS: dict[str, CaseKind] = {
    kind.name: kind
    for kind in (
        hip.ARTHROPLASTY,
        hip.ARTHROSCOPY,
        knee.ARTHROPLASTY,
        knee.ARTHROSCOPY,
        shoulder.ROTATOR_CUFF,
        shoulder.ARTHROPLASTY,
        shoulder.ARTHROSCOPY,
        other.OTHER,
    )
}
"""The kinds of case, by table."""

MEMBERS: dict[str, CaseKind] = {
    kind.name: kind for kind in (member.FOLLOWUP, member.OUTCOME, member.IMPLANT, member.COMPLICATION)
}
"""The kinds of member, by table."""

JOINTS = {hip.HIP: "hip", knee.KNEE: "knee", shoulder.GLENOHUMERAL: "shoulder"}
"""Site of a kind of case -> the joint, as the instruments of outcome name it."""

__all__ = ["COMMON", "JOINTS", "KINDS", "MEMBERS", "CaseKind", "Column"]
