"""What the demonstration needs of the emulators beyond their remote's own API: people who act, and eyes to judge by.

The demonstration judges convergence from here alone, never from what the daemon says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


class RefusedByRemote(Exception):
    """The remote does not take this file; the text is its own reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What people see of one document in the catalog.

    :param indexed: the record says that it is searchable.
    :param error: the record's error text.
    :param preview: the bytes of the preview picture.
    """

    exists: bool
    indexed: bool
    failed: bool
    error: str
    file_id: str
    collections: Sequence[str]
    preview: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One membership that the index has of a document. `ready`: searchable."""

    collection: str
    file_id: str
    blake3: str
    ready: bool


@runtime_checkable
class CatalogStage(Protocol):
    """Played by the catalog's emulator while it is served."""

    async def settings(self, urls: Mapping[str, str], listener: str, secrets: Path) -> Mapping[str, Any]:
        """Register the webhooks at `listener` and return the TOML table; secrets are written below `secrets`."""

    async def open_case_file(self, number: int, name: str, collection: str) -> str:
        """A case file with consent, and the record that stands for its collection; the case file's id."""

    async def file_document(self, name: str, content: bytes, case_file: str) -> str:
        """As a lawyer files it in the browser: upload, then record. The record's id; `RefusedByRemote` with the reason."""

    async def replace_document(self, document: str, name: str, content: bytes) -> None:
        """As a lawyer uploads a new version."""

    async def delete_document(self, document: str) -> None:
        """As a lawyer deletes it."""

    def refusal(self, name: str) -> str | None:
        """Would the remote take a file of this name and never give it back, and why?"""

    def standing(self, document: str) -> Standing:
        """What the record says now."""

    @property
    def asked_by_people(self) -> int:
        """Requests so far that were people's and not the daemon's."""


@runtime_checkable
class IndexStage(Protocol):
    """Played by the index's emulator while it is served."""

    def stage_settings(self, urls: Mapping[str, str], secrets: Path) -> Mapping[str, Any]:
        """The TOML table; secrets are written below `secrets`."""

    def open_collection(self, name: str) -> str:
        """An empty collection's id."""

    def refusal(self, name: str, size: int) -> str | None:
        """Would the remote refuse this file for its type or size, and why?"""

    def holdings(self, document: str) -> Sequence[Holding]:
        """Every membership of a file that carries this document's tag."""

    def loose_files(self) -> int:
        """Files that no collection holds."""


@runtime_checkable
class ReplicaStage(Protocol):
    """Played by the emulator of the other side of a case file while it is served: the file server and its people."""

    def stage_settings(self, urls: Mapping[str, str], secrets: Path) -> Mapping[str, Any]:
        """The TOML table; secrets are written below `secrets`."""

    def open_case_file(self, number: str) -> None:
        """An empty folder."""

    def save(self, number: str, path: str, content: bytes) -> None:
        """As a person does in Word: a new document, or a new version of what stands there."""

    def rename(self, number: str, path: str, to: str) -> None:
        """As a person does in Explorer."""

    def delete(self, number: str, path: str) -> None:
        """As a person does in Explorer."""

    def contents(self, number: str) -> Mapping[str, bytes]:
        """Every file's bytes by its path."""

    def replaced(self) -> Sequence[bytes]:
        """What was overwritten by docsyncd, as the file server kept it."""
