"""Which remotes a live run talks to: the variables `DOCSYNCD_LIVE_…` (README.md), read and checked. Sends nothing."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "DOCSYNCD_LIVE_"
ESPOCRM_URL: Final = "DOCSYNCD_LIVE_ESPOCRM_URL"
ESPOCRM_API_KEY: Final = "DOCSYNCD_LIVE_ESPOCRM_API_KEY"
ADMIN_USER: Final = "DOCSYNCD_LIVE_ESPOCRM_ADMIN_USER"
ADMIN_PASSWORD: Final = "DOCSYNCD_LIVE_ESPOCRM_ADMIN_PASSWORD"
PROFILE: Final = "DOCSYNCD_LIVE_ESPOCRM_PROFILE"
NAMES: Final = "DOCSYNCD_LIVE_ESPOCRM_NAMES"
CONSENT_FIELD: Final = "DOCSYNCD_LIVE_ESPOCRM_CONSENT_FIELD"
XAI_API_KEY: Final = "DOCSYNCD_LIVE_XAI_API_KEY"
XAI_MANAGEMENT_KEY: Final = "DOCSYNCD_LIVE_XAI_MANAGEMENT_KEY"
XAI_FILES_URL: Final = "DOCSYNCD_LIVE_XAI_FILES_URL"
XAI_MANAGEMENT_URL: Final = "DOCSYNCD_LIVE_XAI_MANAGEMENT_URL"
LISTENER: Final = "DOCSYNCD_LIVE_LISTENER"
BIND: Final = "DOCSYNCD_LIVE_BIND"

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    ESPOCRM_URL: (ESPOCRM_API_KEY,),
    ESPOCRM_API_KEY: (ESPOCRM_URL,),
    ADMIN_USER: (ADMIN_PASSWORD, ESPOCRM_URL),
    ADMIN_PASSWORD: (ADMIN_USER, ESPOCRM_URL),
    PROFILE: (ESPOCRM_URL,),
    NAMES: (ESPOCRM_URL,),
    CONSENT_FIELD: (ESPOCRM_URL,),
    LISTENER: (BIND, ESPOCRM_URL),
    BIND: (LISTENER, ESPOCRM_URL),
    XAI_API_KEY: (XAI_MANAGEMENT_KEY,),
    XAI_MANAGEMENT_KEY: (XAI_API_KEY,),
    XAI_FILES_URL: (XAI_API_KEY, XAI_MANAGEMENT_KEY, XAI_MANAGEMENT_URL),
    XAI_MANAGEMENT_URL: (XAI_API_KEY, XAI_MANAGEMENT_KEY, XAI_FILES_URL),
}
"""Every variable, and those that it means nothing without."""

MAY_BE_EMPTY: Final = frozenset({CONSENT_FIELD})
"""Here an empty value says something: consent is the active link. Elsewhere it is as if the variable were not set."""


class Misconfigured(Exception):
    """The variables do not say what to do; the text names what is missing, one sentence a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EspoAccount:
    """A real EspoCRM. `login` is a person's, who arranges the world; without one the API user does that, too."""

    url: str
    api_key: str = field(repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)
    profile: str = "seed"
    names: Mapping[str, Any] = field(default_factory=dict)
    consent_field: str = "aiFreigabe"


@dataclass(frozen=True, slots=True, kw_only=True)
class XaiAccount:
    """A real xAI. `addresses`: keys of the connector's table where they differ from the default."""

    api_key: str = field(repr=False)
    management_key: str = field(repr=False)
    addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Under which address EspoCRM reaches the webhook listener, and what the listener binds."""

    reached_at: str
    bind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is real; what is None is played by its emulator."""

    espocrm: EspoAccount | None
    xai: XaiAccount | None
    listener: Listener | None

    def described(self) -> list[str]:
        """One line per remote, for the head of the run."""
        espocrm, xai = self.espocrm, self.xai
        return [
            "EspoCRM: played by its emulator"
            if espocrm is None
            else f"EspoCRM: REAL, {espocrm.url}, profile {espocrm.profile}"
            f"{', with names of its own' if espocrm.names else ''}, people act "
            f"{'as ' + espocrm.login[0] if espocrm.login else 'with the API key'}",
            "xAI: played by its emulator"
            if xai is None
            else f"xAI: REAL, {', '.join(xai.addresses.values()) or 'its usual hosts'}",
            "webhooks: on loopback"
            if espocrm is None
            else "webhooks: none, polls and sweeps must do"
            if self.listener is None
            else f"webhooks: {self.listener.reached_at} (listening on {self.listener.bind})",
        ]


def read(environ: Mapping[str, str]) -> Environment:
    """The environment, or `Misconfigured` with everything that is wrong with it."""
    given = {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and (value.strip() or name in MAY_BE_EMPTY)
    }
    wrong = [_unknown(name) for name in sorted(given.keys() - NEEDS.keys())]
    for name in sorted(given.keys() & NEEDS.keys()):
        missing = [each for each in NEEDS[name] if each not in given]
        if missing:
            wrong.append(f"{name} is set, but {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.")
    if wrong:
        raise Misconfigured("\n".join([*wrong, "See tests/live/README.md."]))
    listener = Listener(reached_at=given[LISTENER].rstrip("/"), bind=given[BIND]) if LISTENER in given else None
    return Environment(espocrm=_espocrm(given), xai=_xai(given), listener=listener)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, NEEDS, n=1, cutoff=0.8)
    return f"{name} is not known." + (f" Did you mean {near[0]}?" if near else "")


def _espocrm(given: Mapping[str, str]) -> EspoAccount | None:
    if ESPOCRM_URL not in given:
        return None
    prepared = _prepared(given.get(NAMES))
    table = prepared.get("connectors", {}).get("espocrm", {})
    consent_field = prepared.get("index", {}).get("consent_field", "aiFreigabe")
    return EspoAccount(
        url=given[ESPOCRM_URL].rstrip("/"),
        api_key=given[ESPOCRM_API_KEY],
        login=(given[ADMIN_USER], given[ADMIN_PASSWORD]) if ADMIN_USER in given else None,
        profile=given.get(PROFILE) or table.get("profile", "seed"),
        names=table.get("names", {}),
        consent_field=given.get(CONSENT_FIELD, consent_field).strip(),
    )


def _prepared(path: str | None) -> Mapping[str, Any]:
    """What `prepare_espocrm` printed: a piece of docsyncd.toml."""
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{NAMES}: {path} cannot be read: {error}") from error


def _xai(given: Mapping[str, str]) -> XaiAccount | None:
    if XAI_API_KEY not in given:
        return None
    named = {"files_url": given.get(XAI_FILES_URL), "management_url": given.get(XAI_MANAGEMENT_URL)}
    return XaiAccount(
        api_key=given[XAI_API_KEY],
        management_key=given[XAI_MANAGEMENT_KEY],
        addresses={key: value for key, value in named.items() if value},
    )
