"""What every test may ask for: `database_url`, `store`, `clean`, `new_database`, `embedded_dir`, `corpus`,
`records`, `gateway`, `http`, `fhir`, `admin`, `library`, `ward`."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.folders",
    "tests.fixtures.records",
    "tests.fixtures.server",
    "tests.fixtures.registry",
    "tests.fixtures.bulk",
    "tests.fixtures.library",
    "tests.fixtures.ward",
]

# A shared machine is slow at times: how long an example takes is no finding.
settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")
