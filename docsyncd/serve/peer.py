"""Who is on the other end of a unix socket, by the kernel's word, and whether he may act."""

from __future__ import annotations

import grp
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

_CREDENTIALS: Final = struct.Struct("3i")
_SO_PEERGROUPS: Final = 59
"""socket(7), since Linux 4.13; Python's `socket` does not name it."""
_GROUPS_BUFFER: Final = 1024
"""Bytes, the most that `getsockopt` of Python takes: 256 groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The process that connected, as it was at that moment. `groups` holds the primary one, too."""

    uid: int
    groups: frozenset[int]


def peer_of(connection: socket.socket) -> Peer:
    """Ask the kernel. Where it does not tell the supplementary groups (or they are too many), the peer has none of them."""
    _, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BUFFER)
    except OSError:
        raw = b""
    return Peer(uid=uid, groups=frozenset({gid, *(group for (group,) in struct.iter_unpack("I", raw))}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operators:
    """Who may act: root, the daemon's own user, and the members of one group.

    :param gid: None if this machine has no such group; then it has no members.
    """

    group: str
    gid: int | None
    daemon_uid: int

    @classmethod
    def named(cls, group: str) -> Operators:
        """The group of `[admin] operators`, looked up once."""
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            gid = None
        return cls(group=group, gid=gid, daemon_uid=os.geteuid())

    def include(self, peer: Peer) -> bool:
        """May this peer act?"""
        return peer.uid in (0, self.daemon_uid) or self.gid in peer.groups

    @property
    def advice(self) -> str:
        """What somebody does who should be one of them."""
        join = f"Join the group {self.group} (`sudo usermod -aG {self.group} $USER`) and log in again, or use sudo."
        if self.gid is None:
            return f"The group {self.group} of [admin] operators did not exist when docsyncd started. Create it. {join}"
        return join
