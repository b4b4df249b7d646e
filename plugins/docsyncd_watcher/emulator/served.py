"""The case files of an NTFS volume, as the emulated watcher opens, lists and replaces them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from docsyncd.api import Clock
from docsyncd_watcher.emulator import names
from docsyncd_watcher.emulator.disk import Journal, Refused, Seen
from docsyncd_watcher.emulator.ntfs import Node, Volume


class NtfsDisk:
    """Satisfies `Disk`. Each folder at the volume's root is a case file."""

    def __init__(self, clock: Clock) -> None:
        self.volume = Volume(clock)
        self.online = True
        self.quarantine: dict[str, Path] = {}
        self.writes = 0

    @property
    def serial(self) -> str:
        return self.volume.serial

    @property
    def journal(self) -> Journal:
        return self.volume.journal

    def root_id(self, case_file: str) -> str | None:
        self._require_online()
        node = self.volume.lookup([case_file])
        return None if node is None else node.file_id

    def listing(self, case_file: str) -> Sequence[Seen]:
        self._require_online()
        root = self.volume.lookup([case_file])
        return [] if root is None else [self._seen(path, node, parent) for path, node, parent in root.walk()]

    def find(self, case_file: str, path: str) -> Seen | None:
        self._require_online()
        node = self._lookup(case_file, path)
        return None if node is None or node.folder else self._seen_as_stored(case_file, path, node)

    def require_readable(self, case_file: str, path: str) -> Seen:
        found = self.find(case_file, path)
        if found is None:
            raise Refused("absent", "there is no such file")
        node = self._node(case_file, path)
        if node.denied:
            raise Refused("denied", "the watcher's account may not open this file")
        if node.open_state == "exclusive":
            raise Refused("locked", "another program has the file open (sharing violation, error 32)")
        return found

    def require_writable(self, case_file: str, path: str) -> None:
        self._require_online()
        for part in path.split("/"):
            reason = names.refusal(part)
            if reason is not None:
                raise Refused("bad-name", reason)
        node = self._lookup(case_file, path)
        if node is None:
            return
        if node.folder or node.denied:
            raise Refused("denied", "a folder" if node.folder else "the watcher's account may not write this file")
        require_free(node)

    def spool(self) -> Path:
        return self.volume.contents / uuid.uuid4().hex

    def commit(self, case_file: str, path: str, spooled: Path, blake3: str, size: int) -> tuple[Seen, str | None]:
        self.volume.adopt(spooled, blake3)
        folder, _, _ = path.rpartition("/")
        target = self.volume.make_folder([case_file, *filter(None, folder.split("/"))])
        old = self._lookup(case_file, path)
        fresh = self.volume.create(target, f"docsyncd-{uuid.uuid4().hex}.tmp")
        self.volume.fill(fresh, blake3, size, "data-extend")
        reference = None
        if old is None:
            self.volume.move(target, fresh, target, path.rpartition("/")[2])
        else:
            reference = uuid.uuid4().hex
            self.quarantine[reference] = self.volume.contents / old.blake3
            self.volume.replace(target, old, target, fresh)
        self.writes += 1
        return self._seen_as_stored(case_file, path, fresh), reference

    def _require_online(self) -> None:
        if not self.online:
            raise Refused("unavailable", "the volume is not mounted")

    def _lookup(self, case_file: str, path: str) -> Node | None:
        return self.volume.lookup([case_file, *path.split("/")])

    def _node(self, case_file: str, path: str) -> Node:
        node = self._lookup(case_file, path)
        if node is None:
            raise KeyError(f"{case_file}: {path}")
        return node

    def _parent(self, case_file: str, path: str) -> Node:
        folder = path.rpartition("/")[0]
        parent = self.volume.lookup([case_file, *filter(None, folder.split("/"))])
        if parent is None:
            raise KeyError(f"{case_file}: {folder}")
        return parent

    def _create(self, case_file: str, path: str) -> Node:
        folder, _, name = path.rpartition("/")
        return self.volume.create(self.volume.make_folder([case_file, *filter(None, folder.split("/"))]), name)

    def _seen_as_stored(self, case_file: str, path: str, node: Node) -> Seen:
        """With the path as it is spelled on the disk."""
        spelled, at = [], self.volume.lookup([case_file])
        for part in path.split("/"):
            at = None if at is None else at.children.get(names.upcase(part))
            spelled.append(part if at is None else at.name)
        return self._seen("/".join(spelled), node, self._parent(case_file, path))

    def _seen(self, path: str, node: Node, parent: Node) -> Seen:
        return Seen(
            path=path,
            file_id=node.file_id,
            parent_id=parent.file_id,
            usn=node.usn,
            size=node.size,
            modified=node.modified,
            changed=node.changed,
            attributes=node.attributes,
            links=node.links,
            open_state=node.open_state,
            blake3=node.blake3,
            bytes_at=self.volume.contents / node.blake3,
        )


def require_free(node: Node) -> None:
    """`Refused` while a program that does not share writing has it open."""
    if node.open_state in ("writing", "exclusive"):
        raise Refused("locked", "another program has the file open (sharing violation, error 32)")
