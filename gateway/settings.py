"""The settings: environment variables that begin with SUTURE_, each an option of `suture serve` too."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.session import normalise_url

PREFIX = "SUTURE_"
MIB = 1024 * 1024
PRIVATE = "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,fe80::/10"
"""This machine, and networks that no router of the internet leads to."""
# No "*": nobody signs on yet, so that every page that a user looks at could read every record.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(?::\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


def default_data_dir() -> Path:
    """`./data`; as root the system's folder, since PostgreSQL then runs as a user that cannot enter /root."""
    return Path("/var/lib/suture") if os.geteuid() == 0 else Path("data")


class Settings(BaseSettings):
    """How one gateway runs. Raises pydantic.ValidationError for a value that cannot be used."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder of the embedded database (default: ./data, as root /var/lib/suture).",
    )
    database_url: str | None = Field(
        default=None,
        description="postgresql:// URL of PostgreSQL 15 or newer (default: one in the data folder).",
    )
    host: str = Field(default="127.0.0.1", description="Address that HTTP and MLLP listen on.")
    http_port: int = Field(default=8080, ge=1, le=65535, description="Port of HTTP: FHIR, native API, pages.")
    mllp_port: int = Field(default=2575, ge=1, le=65535, description="Port of HL7v2 over MLLP.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that serve; they share the ports.")
    log_format: Literal["console", "json"] = Field(
        default="console", description="Form of the log on stderr."
    )
    site_timezone: str = Field(
        default="UTC", description="Zone of times that come without one, such as Europe/Oslo."
    )
    mrn_authority: str = Field(
        default="",
        description="Assigning authority by which HL7v2 senders name the hospital's own record numbers "
        "(PID-3.4: its namespace or universal id), those of the native API.",
    )
    max_body_bytes: int = Field(default=16 * MIB, ge=1024, description="Largest HTTP body taken, in bytes.")
    max_import_bytes: int = Field(
        default=1024 * MIB, ge=1024, description="Largest file of patients taken over HTTP, in bytes."
    )
    mllp_max_frame_bytes: int = Field(
        default=16 * MIB, ge=1024, description="Largest HL7v2 message taken, in bytes."
    )
    mllp_max_held_bytes: int = Field(
        default=256 * MIB,
        ge=1024,
        description="Most bytes of HL7v2 messages that a worker holds at once, over all connections; "
        "one message may always come.",
    )
    mllp_max_junk_bytes: int = Field(
        default=16 * 1024,
        ge=0,
        description="Most bytes between two frames that are neither frame nor padding.",
    )
    mllp_max_connections: int = Field(
        default=200, ge=1, description="MLLP connections that a worker serves at once."
    )
    mllp_max_connections_per_address: int = Field(
        default=100, ge=1, description="MLLP connections that a worker serves at once from one address."
    )
    mllp_idle_seconds: int = Field(
        default=86_400, ge=1, description="How long an MLLP connection may be silent between frames."
    )
    mllp_frame_seconds: int = Field(
        default=60, ge=1, description="How long an MLLP connection may be silent within a frame."
    )
    mllp_allowed_addresses: str = Field(
        default=PRIVATE,
        description="Networks that MLLP connections may come from, parted by commas "
        "(default: this machine and the private networks).",
    )
    mllp_only_known_peers: bool = Field(
        default=False, description="Take HL7v2 messages of known peers only (`suture peer add`)."
    )
    mllp_accept_bare: bool = Field(
        default=False, description="Take HL7v2 messages that begin without the byte 0B."
    )
    mllp_ignore_empty: bool = Field(
        default=False, description="Do not answer empty MLLP frames: some peers send them as a sign of life."
    )
    mllp_tls_port: int = Field(default=2576, ge=1, le=65535, description="Port of HL7v2 over MLLP and TLS.")
    mllp_tls_cert: Path | None = Field(
        default=None, description="Certificate chain of the TLS port, PEM; without it there is no such port."
    )
    mllp_tls_key: Path | None = Field(
        default=None, description="Key of that certificate, PEM (default: in the certificate's file)."
    )
    mllp_tls_ca: Path | None = Field(
        default=None,
        description="Certificates that sign those of clients, PEM; with it every client must have one.",
    )
    mllp_tls_only: bool = Field(default=False, description="Listen for HL7v2 with TLS only.")
    mllp_client_cert: Path | None = Field(
        default=None, description="Certificate chain by which peers that are sent to know the gateway, PEM."
    )
    mllp_client_key: Path | None = Field(
        default=None, description="Key of that certificate, PEM (default: in the certificate's file)."
    )
    async_jobs: int = Field(
        default=2, ge=1, le=16, description="Asynchronous requests that a worker works on at once."
    )
    async_result_seconds: int = Field(
        default=86_400,
        ge=1,
        description="How long the answer of an asynchronous request is kept, in seconds.",
    )
    cors_origins: str = Field(
        default="",
        description="Web pages that may call the gateway from a browser: origins such as "
        "https://app.example.org, parted by commas (default: none).",
    )
    require_user: bool = Field(
        default=False,
        description="Serve HTTP only to requests whose X-User header names an active account "
        "(`suture user add`).",
    )
    allow_unauthenticated: bool = Field(
        default=False,
        description="Listen on addresses other than loopback although nobody has to sign on: "
        "whoever reaches the ports can read and change every record.",
    )

    @field_validator("database_url")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None:
            normalise_url(url)
        return url

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, text: str) -> str:
        for origin in split_origins(text):
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin, such as https://app.example.org")
        return text

    @field_validator("mllp_allowed_addresses")
    @classmethod
    def _networks(cls, text: str) -> str:
        for part in split_networks(text):
            try:
                ipaddress.ip_network(part, strict=False)
            except ValueError as error:
                raise ValueError(f"{part!r} is not a network, such as 10.1.0.0/16") from error
        return text

    @field_validator("mllp_tls_cert", "mllp_tls_key", "mllp_tls_ca", "mllp_client_cert", "mllp_client_key")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @field_validator("site_timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is not a time zone of the tz database") from error
        return name

    @model_validator(mode="after")
    def _whole_tls(self) -> Settings:
        if self.mllp_tls_cert is None and (self.mllp_tls_only or self.mllp_tls_key or self.mllp_tls_ca):
            raise ValueError("TLS needs a certificate: set SUTURE_MLLP_TLS_CERT")
        if self.mllp_tls_cert is not None and self.mllp_tls_port in (self.http_port, self.mllp_port):
            raise ValueError("TLS needs a port of its own: change SUTURE_MLLP_TLS_PORT")
        return self

    @model_validator(mode="after")
    def _whole_client(self) -> Settings:
        if self.mllp_client_key and self.mllp_client_cert is None:
            raise ValueError("a key needs its certificate: set SUTURE_MLLP_CLIENT_CERT")
        return self

    @model_validator(mode="after")
    def _closed_by_default(self) -> Settings:
        if self.http_port == self.mllp_port:
            raise ValueError(
                "HTTP and MLLP cannot share one port: change SUTURE_HTTP_PORT or SUTURE_MLLP_PORT"
            )
        if not self.allow_unauthenticated and not is_loopback(self.host):
            raise ValueError(
                f"refusing to listen on {self.host}: there is no sign-on yet, so whoever reaches the ports "
                "could read and change every record. Keep SUTURE_HOST=127.0.0.1 behind a proxy that signs "
                "users on, or set SUTURE_ALLOW_UNAUTHENTICATED=true"
            )
        return self

    @property
    def share_ports(self) -> bool:
        """Whether several processes listen on the MLLP port, so that it must be bound with SO_REUSEPORT."""
        return self.workers > 1

    def environment(self) -> dict[str, str]:
        """The settings as environment variables, from which another process makes the same settings."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def split_networks(text: str) -> list[str]:
    """The networks of a setting."""
    return [part.strip() for part in text.split(",") if part.strip()]


def split_origins(text: str) -> list[str]:
    """The origins of a setting, without a slash at their end."""
    return [part.strip().rstrip("/") for part in text.split(",") if part.strip()]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than localhost might resolve to anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
