"""A gateway whose worker dies after it has committed its first message and before it answers: a target of
`gateway.serve.serve`.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import app
from gateway.mllp.server import Conversation
from gateway.serve import serve
from gateway.settings import Settings

if TYPE_CHECKING:
    from litestar import Litestar


def create() -> Litestar:
    """Make the application; only the first worker of all dies."""
    mark = Path(os.environ["DYING_MARK"])

    def die(_: Conversation, answers: list[bytes]) -> None:
        mark.write_bytes(b"".join(answers))
        os.kill(os.getpid(), signal.SIGKILL)

    if not mark.exists():
        Conversation._write = die  # type: ignore[method-assign]
    return app.create()


if __name__ == "__main__":
    serve(Settings(), "tests.wire.dying:create")
