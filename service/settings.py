"""Settings: from the environment, each with `PARCYCLE_` before its name; `DATABASE_URL` besides."""

import inspect
import os
import re
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from service.consent_records import Controller
from service.sealing.asking_witnesses import WitnessNamed

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # pydantic: a name that there is not


def default_home() -> Path:
    """Where the embedded database lives (XDG Base Directory specification; FHS for root)."""
    if os.geteuid() == 0:  # PostgreSQL runs as another account, which cannot enter root's home
        return Path("/var/lib/parcycle")
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "parcycle"


class WrongSetting(Exception):
    """A setting cannot be used: says which one and why, but not what it holds."""


class Settings(BaseSettings):
    """How the service runs. Every setting can be left out."""

    model_config = SettingsConfigDict(env_prefix="PARCYCLE_", extra="ignore")

    database_url: str | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 to 18, as the role parcycle_service; embedded if left out.",
    )
    owner_database_url: str | None = Field(
        None, description="The same database as the role that owns it, for `parcycle migrate`."
    )
    eraser_database_url: str | None = Field(
        None, description="The same database as the role parcycle_eraser, for `eraseSubject`."
    )
    name: str = Field(
        "localhost",
        pattern=r"^[A-Za-z0-9.-]{1,200}$",
        description="Host name of the service, in the origin of each study's log; never change it.",
    )
    home: Path = Field(
        default_factory=default_home, description="Folder of the embedded database and of the keys."
    )
    key_store_url: str | None = Field(
        None,
        description="PostgreSQL 15 to 18 for the keys of data subjects, as the role parcycle_keys, "
        "in a database of their own; a file in PARCYCLE_HOME if left out.",
    )
    keyring: Path | None = Field(
        None, description="File of the key-encryption keys; in PARCYCLE_HOME if left out."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8400, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    log_format: Literal["json", "console"] = Field("console", description="How log lines look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="The least serious lines that are written; debug tells each append, and each "
        "register that takes it in, by the request's id.",
    )
    token_keys: str | None = Field(
        None, description="JWK Set that access tokens are signed with: a file or an https URL."
    )
    token_issuer: str | None = Field(None, description="`iss` that access tokens must carry.")
    token_audience: str = Field("parcycle", description="`aud` that access tokens must carry.")
    introspection: bool = Field(True, description="Whether clients may ask for the schema.")
    project: bool = Field(
        True, description="Whether `serve` follows the record; else run `parcycle project`."
    )
    seal: bool = Field(
        True,
        description="Whether `serve` seals the record; only where PARCYCLE_HOME holds the log's "
        "keys. One machine does.",
    )
    witnesses: list[WitnessNamed] = Field(
        [],
        description="Who cosigns the sealed record's checkpoints, as JSON: a list of `key` (C2SP "
        "signed-note) and, of those that do it at once, `url` (C2SP tlog-witness).",
    )
    controller: Controller = Field(
        Controller(),
        description="Who answers for the data, for consent records and receipts, as JSON: name, "
        "address, contact, jurisdiction and storage_location (ISO 3166-1), retention (P10Y).",
    )


def read_settings() -> Settings:
    """The settings of this process. Raises `WrongSetting`."""
    try:
        return Settings()
    except ValidationError as fault:
        wrong = [f"{_variable(*each['loc'])}: {_said(each)}." for each in fault.errors()]
        raise WrongSetting(" ".join(wrong)) from None
    except SettingsError as fault:  # what is set to something that JSON has to tell, and is none
        (name,) = re.findall(r'field "(\w+)"', str(fault))
        raise WrongSetting(f"{_variable(name)}: It is not JSON.") from None


def _said(fault: ErrorDetails) -> str:
    """What is wrong; of a name that nobody knows, which there are."""
    if fault["type"] not in UNKNOWN:
        return fault["msg"]
    of = Settings.model_fields[str(fault["loc"][0])].annotation
    (shape,) = get_args(of) or (of,)
    known = ", ".join(inspect.signature(shape).parameters)
    return f"There is no such name; those that there are: {known}"


def _variable(name: int | str, *within: int | str) -> str:
    variable = name if name == "DATABASE_URL" else f"PARCYCLE_{str(name).upper()}"
    return ", ".join([str(variable), *map(str, within)])
