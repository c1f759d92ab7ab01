"""A stay in hospital and a referral of the flat record, as Encounters.

https://hl7.org/fhir/R4/encounter.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mappings import times
from mappings.element import Refused
from mappings.flat.patient import reference
from mappings.flat.words import Object
from mappings.resources.encounter_codes import ACT_CODE

PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ENDED = ("finished", "cancelled", "entered-in-error")


def stay(present: Object | None, told: Mapping[str, str | None], patient: str, at: datetime) -> Object | None:
    """Return the stay in hospital after its days of admission (``start``) and discharge (``end``) were set;
    None where it has neither any more and nothing else is known. Raises Refused for a discharge without an
    admission.

    Its status follows from them, as seen at a moment.
    """
    made = _new("IMP", "inpatient encounter", patient) | (present or {})
    made["class"] = _class("IMP", "inpatient encounter") if is_bare(made) else made["class"]
    period = {key: text for key, text in (made.pop("period", {}) | told).items() if text}
    if not period:
        return made if set(made) - _HEAD else None
    if "start" not in period:
        raise Refused("required", "admission_date", None, "", "is needed with discharge_date")
    if "end" in period and times.bounds(period["start"])[0] >= times.bounds(period["end"])[1]:
        raise Refused("invariant", "discharge_date", None, "", "is before admission_date")
    made["period"] = period
    if made["status"] not in ("cancelled", "entered-in-error"):
        made["status"] = _status(period, at)
    return made


def _status(period: Mapping[str, str], at: datetime) -> str:
    if "end" in period:
        return "finished"
    return "planned" if times.bounds(period["start"])[0] > at else "in-progress"


def is_another(present: Object, told: Mapping[str, str | None]) -> bool:
    """Tell whether a day of admission begins another stay: it is after the discharge from the last, or the
    last is over and its days are not known.
    """
    start, period = told.get("start"), present.get("period")
    if not start or not period:
        return bool(start) and present["status"] in ENDED
    return "end" in period and times.bounds(start)[0] >= times.bounds(period["end"])[1]


_HEAD = {"resourceType", "id", "meta", "identifier", "status", "statusHistory", "class", "subject"}
_BARE = _HEAD | {"participant"}


def is_bare(encounter: Object) -> bool:
    """Tell whether nothing is known of an encounter, but perhaps who referred the patient to it."""
    told = set(encounter) - _BARE
    return not told and encounter["status"] == "unknown" and encounter["class"].get("code") == "AMB"


def _class(code: str, display: str) -> Object:
    return {"system": ACT_CODE, "code": code, "display": display}


def _new(code: str, display: str, patient: str) -> Object:
    return {
        "resourceType": "Encounter",
        "status": "unknown",
        "class": _class(code, display),
        "subject": {"reference": patient},
    }


def referral(
    present: Object | None, value: str | None, patient: str, doctors: Mapping[str, str]
) -> Object | None:
    """Return an encounter after it was set who referred the patient to it; None where nothing is known of it
    any more. Of an encounter that is made to say it no more is known.
    """
    if present is None and value is None:
        return None
    made: Object = dict(present or _new("AMB", "ambulatory", patient))
    participants: list[Object] = made.pop("participant", [])
    first = next((item for item in participants if _refers(item)), None)
    if first is not None and first.get("individual", {}).get("display") == value:
        return present
    others = [item for item in participants if not _refers(item)]
    kind = {"coding": [{"system": PARTICIPATION, "code": "REF", "display": "referrer"}]}
    own = [{"type": [kind], "individual": reference(value, doctors)}] if value else []
    if own or others:
        made["participant"] = [*own, *others]
    return None if is_bare(made) and not own and not others else made


def _refers(participant: Object) -> bool:
    return any(
        coding.get("code") == "REF"
        for concept in participant.get("type", ())
        for coding in concept.get("coding", ())
    )
