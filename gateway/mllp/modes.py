"""Which acknowledgements a message asks for: original and enhanced mode, MSH-15 and MSH-16 (table 0155).

HL7 v2.5.1, sections 2.9.2 and 2.9.3: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.mllp.acknowledge import Code, Fault

if TYPE_CHECKING:
    from mappings.er7 import Message

CONDITIONS: Final = frozenset({"AL", "NE", "ER", "SU"})
"""Table 0155: always, never, on error or rejection, on success."""
ACCEPT: Final = 15
APPLICATION: Final = 16
_ACCEPTING: Final = {Code.AA: Code.CA, Code.AE: Code.CE, Code.AR: Code.CR}


@dataclass(frozen=True, slots=True)
class Mode:
    """When the accept half (CA, CE, CR) and the application half (AA, AE, AR) are answered."""

    accept: str = "NE"
    application: str = "AL"

    def accepts(self, *, success: bool) -> bool:
        """Tell whether it is to be told that a message was taken, or was not."""
        return _is_due(self.accept, success=success)

    def applies(self, *, success: bool) -> bool:
        """Tell whether it is to be told what came of a message."""
        return _is_due(self.application, success=success)

    def refusal(self, code: Code) -> Code | None:
        """Return the code that refuses a message which was not taken: that of the accept half where it is
        asked for, else that of the other half; None where neither is.
        """
        if self.accepts(success=False):
            return accepting(code)
        return code if self.applies(success=False) else None


ORIGINAL: Final = Mode()


def _is_due(condition: str, *, success: bool) -> bool:
    return condition == "AL" or condition == ("SU" if success else "ER")


def accepting(code: Code) -> Code:
    """Return the code of the accept half that says the same (table 0008)."""
    return _ACCEPTING.get(code, code)


def mode_of(message: Message | None, ack_mode: str = "enhanced") -> Mode:
    """Return the mode in which a message is answered.

    Original mode where both fields are empty, before 2.2, which has neither, and for a peer that is always
    answered so. Where MSH-16 alone is empty, nothing more than the accept half is asked for; if that is never
    to come either, the application half is.
    """
    if message is None or ack_mode == "original" or message.version == "2.1":
        return ORIGINAL
    accept, application = (_asked(message, number) for number in (ACCEPT, APPLICATION))
    if not accept and not application:
        return ORIGINAL
    unsaid = "AL" if accept in ("", "NE") else "NE"
    return Mode(accept or "NE", application or unsaid)


def _asked(message: Message, number: int) -> str:
    told = message.msh.field(number).first.component(1).strip()
    return told if told in CONDITIONS else ""


def mode_warnings(message: Message) -> list[Fault]:
    """Return a warning for each of MSH-15 and MSH-16 that table 0155 does not know: it is taken as empty."""
    return [
        Fault("103", "W", "MSH", 1, number, text=f"MSH-{number} is not in table 0155 and was taken as empty")
        for number in (ACCEPT, APPLICATION)
        if not message.msh.field(number).is_empty and not _asked(message, number)
    ]
