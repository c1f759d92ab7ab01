from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import Settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SUTURE_"):
            monkeypatch.delenv(name)


def test_the_defaults_are_those_of_the_contract() -> None:
    found = Settings()
    assert (found.host, found.http_port, found.mllp_port, found.workers) == ("127.0.0.1", 8080, 2575, 1)
    assert found.database_url is None
    assert found.max_body_bytes == found.mllp_max_frame_bytes == 16 * 1024 * 1024
    assert (found.log_format, found.site_timezone, found.allow_unauthenticated) == ("console", "UTC", False)


def test_root_keeps_the_data_where_the_database_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Settings().data_dir == Path("/var/lib/suture")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Settings().data_dir == Path("data")


def test_every_setting_comes_from_the_environment_and_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "SUTURE_DATA_DIR": "/srv/suture",
        "SUTURE_DATABASE_URL": "postgresql://u@h/d",
        "SUTURE_HOST": "::1",
        "SUTURE_HTTP_PORT": "8081",
        "SUTURE_MLLP_PORT": "2576",
        "SUTURE_WORKERS": "3",
        "SUTURE_LOG_FORMAT": "json",
        "SUTURE_SITE_TIMEZONE": "Europe/Oslo",
        "SUTURE_MRN_AUTHORITY": "HOSPITAL",
        "SUTURE_MAX_BODY_BYTES": "2048",
        "SUTURE_MAX_IMPORT_BYTES": "8192",
        "SUTURE_MLLP_MAX_FRAME_BYTES": "4096",
        "SUTURE_MLLP_MAX_HELD_BYTES": "65536",
        "SUTURE_MLLP_MAX_JUNK_BYTES": "512",
        "SUTURE_MLLP_MAX_CONNECTIONS": "7",
        "SUTURE_MLLP_MAX_CONNECTIONS_PER_ADDRESS": "3",
        "SUTURE_MLLP_IDLE_SECONDS": "600",
        "SUTURE_MLLP_FRAME_SECONDS": "9",
        "SUTURE_MLLP_ALLOWED_ADDRESSES": "10.1.0.0/16,::1",
        "SUTURE_MLLP_ONLY_KNOWN_PEERS": "True",
        "SUTURE_MLLP_ACCEPT_BARE": "True",
        "SUTURE_MLLP_IGNORE_EMPTY": "True",
        "SUTURE_MLLP_TLS_PORT": "2577",
        "SUTURE_MLLP_TLS_CERT": __file__,
        "SUTURE_MLLP_TLS_KEY": __file__,
        "SUTURE_MLLP_TLS_CA": __file__,
        "SUTURE_MLLP_TLS_ONLY": "True",
        "SUTURE_MLLP_CLIENT_CERT": __file__,
        "SUTURE_MLLP_CLIENT_KEY": __file__,
        "SUTURE_ASYNC_JOBS": "4",
        "SUTURE_ASYNC_RESULT_SECONDS": "60",
        "SUTURE_CORS_ORIGINS": "https://app.example.org,http://localhost:3000",
        "SUTURE_REQUIRE_USER": "True",
        "SUTURE_ALLOW_UNAUTHENTICATED": "True",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings().environment() == given
    assert len(given) == len(Settings.model_fields)


def test_each_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_needs_no_permission(host: str) -> None:
    assert Settings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "gateway.hospital.example", ""])
def test_any_other_address_is_refused_unless_the_operator_says_so(host: str) -> None:
    with pytest.raises(ValidationError, match="SUTURE_ALLOW_UNAUTHENTICATED=true"):
        Settings(host=host)
    assert Settings(host=host, allow_unauthenticated=True).host == host


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("http_port", "0", "greater than or equal to 1"),
        ("http_port", "65536", "less than or equal to 65535"),
        ("http_port", "2575", "cannot share one port"),
        ("workers", "0", "greater than or equal to 1"),
        ("log_format", "xml", "'console' or 'json'"),
        ("cors_origins", "*", "is not an origin"),
        ("cors_origins", "https://app.example.org/page", "is not an origin"),
        ("site_timezone", "Mars/Olympus", "not a time zone"),
        ("site_timezone", "../../etc/passwd", "not a time zone"),
        ("database_url", "mysql://u:hunter2@h/d", "must begin with postgresql://"),
        ("max_body_bytes", "12", "greater than or equal to 1024"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"SUTURE_{name.upper()}", value)
    with pytest.raises(ValidationError, match=said) as caught:
        Settings()
    assert "hunter2" not in str(caught.value)


def test_several_workers_share_the_mllp_port() -> None:
    assert not Settings(workers=1).share_ports
    assert Settings(workers=2).share_ports


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"mllp_allowed_addresses": "10.0.0.0/8,ward"}, "'ward' is not a network"),
        ({"mllp_tls_cert": Path("/nowhere/cert.pem")}, "there is no file"),
        ({"mllp_tls_only": True}, "TLS needs a certificate"),
        ({"mllp_client_key": Path(__file__)}, "a key needs its certificate"),
        ({"mllp_tls_ca": Path(__file__)}, "TLS needs a certificate"),
        ({"mllp_tls_cert": Path(__file__), "mllp_tls_port": 2575}, "TLS needs a port of its own"),
    ],
)
def test_what_the_mllp_listener_cannot_use_is_refused_with_a_reason(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Settings(**given)
