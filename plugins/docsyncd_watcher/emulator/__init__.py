"""The watcher on the file server, played by its connector: an in-memory NTFS or a real folder, behind both protocol levels.

Its quirks; numbers are sections of `reference/advoware-windows-sync.md` ("profile": of `installation-profile.md`), names those of
`docs/reference/watcher-protocol.md`. What is undocumented is a switch of `Behaviour`. Each line has a test in
`tests/plugins/watcher/test_emulator_*.py`.

The disk:

* Names are compared by up-casing each UTF-16 unit; `ß` and `ẞ` are two, NFC and NFD are two (2.3).
* A name is any sequence of UTF-16 units, lone surrogates included (2.3).
* Win32 refuses `<>:"/\\|?*`, control characters, device names, also with an extension, trailing dots and spaces, 256 units (2.3).
* A file keeps its id while it is renamed, also in case only, and while it is written into (2.2).
* A save in Word gives the path another id (2.2, 2.4) and leaves `~$`, `~WRD*.tmp` and `~WRL*.tmp` for a while (2.4).
* Record numbers of deleted files are used again with another sequence; whole ids may be, too (2.2).
* Each change writes journal records and the last one's USN is the file's; a rename writes two, closing one more (2.1).
* A USN moves for attributes, times, security, hard links, streams, EAs, compression, encryption, object ids, reparse points and
  the indexing flag, with the content as it was (2.1).
* Deleting the journal makes every USN zero, a new one begins at zero under a new id; restamping only changes the id (2.1).
* A wrapped journal has lost its beginning, and no USN changes (2.1).
* An image that is restored has the same journal id and lower USNs (2.1); one that is restored file by file has old contents and
  old times under new USNs.
* Another volume: another serial, other ids, other USNs, the same files (2.1).
* A file that somebody has open for writing can be read, and one that is open exclusively cannot; neither can be replaced (2.4).
* Replacing keeps the streams, takes the new file's id, and the old content goes to the quarantine (2.3, 2.4).

Level basic (the seed's):

* `GET /akte-details?akte=`, `GET /file?akte=&path=`, `PUT /files/{aktennr}/{filename}` with `X-Blake3-Hash`; a token (profile 5).
* The JSON's shape, keys, times, hashes and errors are known to nobody (profile 5): switches.
* PUT takes a bare name, has no precondition, and replaces whatever stands there (profile 5).
* A listing that lacks files looks like one that does not (2.5).

Level extended (watcher-protocol):

* It answers `GET /capabilities`; its listing has all keys of the seed's.
* A listing says whose it is, how many files it has and whether that is all.
* A download carries the file's state, and breaks off if the file does not stay what it was; HEAD tells state and hash.
* PUT without a precondition is 428, with one that does not hold 412, with an older fence 409, with other bytes than announced 422.
* The same operation id has one effect; for another upload it is refused with 409.
* absent, denied, locked, busy and unavailable are told apart.

Over a real folder (`--root DIR`): sub-folders are case files, USNs are counted for each difference that is noticed, the journal's
id is new at each start, and what is replaced lies in `.quarantine`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from docsyncd.api import Clock, SystemClock
from docsyncd.testing.emulation import MAX_BODY, Faults, Handler, RequestLog, instrument
from docsyncd_watcher.emulator import answers
from docsyncd_watcher.emulator.behaviour import Behaviour
from docsyncd_watcher.emulator.disk import Disk, Journal, Refused, Seen
from docsyncd_watcher.emulator.folder import Folder
from docsyncd_watcher.emulator.host import WatcherHost
from docsyncd_watcher.emulator.ntfs import Snapshot
from docsyncd_watcher.emulator.stage import People
from docsyncd_watcher.emulator.world import NOISE, World

TOKEN = "watcher-emulated-token"  # noqa: S105 - a throw-away key of the emulator


class WatcherEmulator:
    """One watcher. `world` is the file server and its people, `faults` what goes wrong, `requests` what was asked.

        emulator = WatcherEmulator(behaviour=Behaviour(level="basic"))
        emulator.world.save("12345", "Klage.docx", b"…")
        emulator.world.word_save("12345", "Klage.docx", b"…")      # another file id
        async with serve_emulator(emulator) as urls:                # {"url": …}; the token is `TOKEN`
            ...
        assert emulator.world.content("12345", "Klage.docx") == b"…"
        emulator.faults.add(Fault(match=on("PUT", "/files/"), before=a_colleague_saves))
        emulator.host.during_read = lambda case_file, path: emulator.world.save(case_file, path, b"…")

    With `root` it serves a real folder instead, and there is no `world`.
    """

    def __init__(
        self, *, behaviour: Behaviour | None = None, clock: Clock | None = None, root: Path | None = None
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.clock = clock or SystemClock()
        self._world: World | None = None
        self.disk: Disk
        instance = uuid.uuid4()
        if root is None:
            self.disk = self._world = World(self.clock)
        else:
            self.disk = Folder(root)
            instance = uuid.uuid5(uuid.NAMESPACE_URL, self.disk.root.as_uri())
        self.faults = Faults()
        self.requests = RequestLog()
        self.host = WatcherHost(self.disk, self.behaviour, self.clock, instance=f"watcher-{instance.hex[:12]}")
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._door])
        app.add_routes(self.host.routes())
        self._applications = {"url": instrument(app, self.faults, self.requests)}

    @property
    def world(self) -> World:
        """The in-memory file server; over a real folder there is none."""
        if self._world is None:
            raise LookupError("a watcher over a real folder has no world: use the folder")
        return self._world

    @property
    def stage(self) -> People:
        """The file server's people, for the demonstration (`docsyncd.testing.stage.ReplicaStage`)."""
        return People(self.world, TOKEN)

    @property
    def applications(self) -> Mapping[str, web.Application]:
        return self._applications

    def describe(self, urls: Mapping[str, str]) -> str:
        url = urls["url"]
        lines = [
            f"Watcher  {url}   Authorization: Bearer {TOKEN}   level {self.behaviour.level}",
            f'Try      curl -H "Authorization: Bearer {TOKEN}" "{url}/akte-details?akte=12345"',
        ]
        if isinstance(self.disk, Folder):
            lines.insert(1, f"Folder   {self.disk.root}   each sub-folder is a case file")
        return "\n".join(lines)

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The token, and the shape of errors."""
        try:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or token != TOKEN:
                raise Refused("unauthorized", "the bearer token is missing or wrong")
            if self.behaviour.busy and self.behaviour.level == "extended" and request.path != "/capabilities":
                raise Refused("busy", "a backup is running")
            return await handler(request)
        except Refused as refused:
            return answers.refusal(refused, self.behaviour)


__all__ = [
    "NOISE",
    "TOKEN",
    "Behaviour",
    "Disk",
    "Folder",
    "Journal",
    "Refused",
    "Seen",
    "Snapshot",
    "WatcherEmulator",
    "World",
]
