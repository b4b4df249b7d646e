"""xAI, played by its connector: api.x.ai (files, search) and management-api.x.ai (collections).

Its quirks; the numbers are sections of `reference/xai.md`, which names the documents behind them. What is undocumented is a
switch of `Behaviour`, with the safest reading as its default. Each line has a test in `tests/plugins/xai/test_emulator_*.py`.

* Two hosts, two keys; each refuses the other's (2.1).
* api.x.ai answers a wrong key with **400** and "Incorrect API key provided", a missing one with 401 (1.5).
* Every answer of api.x.ai carries `x-zero-data-retention`; if `true`, files and collections are switched off (4).
* Three error shapes, and plain text or HTML from the edge (1.5, 2.7); an unknown management path is nginx's HTML (2.7).
* The upload is multipart; `expires_after` behind `file` is 400, an unnamed file is 400, a forbidden character or more than 255
  characters in its name are 400, and the name is stored exactly as it came, percent signs included (1.2).
* Above 48,000,000 bytes: 413 (1.2). Same bytes twice are two files (2.6).
* A file has no hash; only a collection's document has one, BLAKE3 (1.3, 2.4).
* File lists always hold a `pagination_token`; the end is a page shorter than `limit`; `limit` above 100 or below 1 means 100;
  without `sort_by` there is no order. A token that returns the same page for ever was seen (1.4).
* Management lists leave out the token on the last page, and empty lists altogether (2.2); int64 are strings (2.4);
  their `name` filter matches parts (2.2).
* Removing a member keeps the file; removing a non-member, deleting a deleted file: 404 (2.6).
* Deleting a placed file, placing twice, placing at once after the upload, batchGet with a non-member: undocumented (2.6).
* `fields` must be defined by the collection; `required` and `unique` are enforced (2.3).
* Indexing passes PROCESSING, CHUNKED, EMBEDDING, WRITING; documentation knows only some of them (2.4). Unsupported types are
  accepted and fail later (2.5).
* An expired file is in no list and answers 404 (1.6).

Not emulated: `PUT /v1/files/…`, public URLs, chunked uploads, the direct multipart upload into a collection; docsyncd must not
use them, and here they are 404 or 405. So is the file list's `filter` (400).
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from docsyncd.api import Clock, SystemClock
from docsyncd.testing.emulation import MAX_BODY, Faults, Handler, RequestLog, instrument
from docsyncd_xai.emulator.answers import DENIED, NOT_FOUND, Refusal, flat, shaped
from docsyncd_xai.emulator.files_host import FilesHost
from docsyncd_xai.emulator.management_host import ManagementHost
from docsyncd_xai.emulator.stage import Eyes
from docsyncd_xai.emulator.world import Behaviour, FieldDefinition, Member, StoredCollection, StoredFile, World

API_KEY = "xai-emulated-api-key"
MANAGEMENT_KEY = "xai-emulated-management-key"

_NGINX = "<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>"


class XaiEmulator:
    """Both hosts over one world. `world` is what is stored, `faults` what goes wrong, `requests` what was asked.

    Serve it with `docsyncd.testing.emulation.serve_emulator`; the keys are `API_KEY` and `MANAGEMENT_KEY`.

        emulator = XaiEmulator(behaviour=Behaviour(index_seconds=0))
        collection = emulator.world.create_collection("Müller ./. Schulze")
        async with serve_emulator(emulator) as urls:      # {"files_url": …, "management_url": …}
            ...
        assert emulator.world.names(collection) == ["Klage [65f0…-0123456789ab].pdf"]
        assert [file.blake3 for file in emulator.world.files.values()] == [...]
        assert emulator.world.unplaced() == []
        emulator.faults.add(Fault(match=on("POST", "/v1/files"), cut=True, effect=True))
    """

    def __init__(self, *, behaviour: Behaviour | None = None, clock: Clock | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.world = World(clock or SystemClock(), self.behaviour)
        self.faults = Faults()
        self.requests = RequestLog()
        self.stage = Eyes(self.world, {"api_key": API_KEY, "management_key": MANAGEMENT_KEY})
        files = web.Application(client_max_size=MAX_BODY, middlewares=[self._files_door])
        files.add_routes(FilesHost(self.world).routes())
        management = web.Application(client_max_size=MAX_BODY, middlewares=[self._management_door])
        management.add_routes(ManagementHost(self.world).routes())
        self._applications = {
            "files_url": instrument(files, self.faults, self.requests, role="files_url"),
            "management_url": instrument(management, self.faults, self.requests, role="management_url"),
        }

    @property
    def applications(self) -> Mapping[str, web.Application]:
        return self._applications

    def describe(self, urls: Mapping[str, str]) -> str:
        return "\n".join(
            (
                f"Files       {urls['files_url']}   Authorization: Bearer {API_KEY}",
                f"Collections {urls['management_url']}   Authorization: Bearer {MANAGEMENT_KEY}",
                *(f"Collection  {item.id}   {item.name}" for item in self.world.collections.values()),
            )
        )

    @web.middleware
    async def _files_door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Key, zero data retention and the shape of errors on api.x.ai."""
        self.world.expire()
        off = self.behaviour.zero_data_retention
        try:
            _require_key(request, API_KEY)
            if off and not request.path.startswith("/v1/api-key"):
                raise Refusal(403, "Files and collections are not available with zero data retention", DENIED)
            response = await handler(request)
        except Refusal as refusal:
            response = flat(refusal)
        except web.HTTPException as answer:
            response = web.json_response({"code": NOT_FOUND, "error": answer.reason}, status=answer.status)
        response.headers["x-zero-data-retention"] = str(off).lower()
        return response

    @web.middleware
    async def _management_door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Key and the shape of errors on management-api.x.ai."""
        self.world.expire()
        try:
            _require_key(request, MANAGEMENT_KEY, wrong=self.behaviour.wrong_management_key)
            return await handler(request)
        except Refusal as refusal:
            return shaped(refusal, self.behaviour.management_errors)
        except web.HTTPException as answer:
            return web.Response(text=_NGINX, content_type="text/html", status=answer.status)


def _require_key(request: web.Request, key: str, *, wrong: int = 400) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not given:
        raise Refusal(401, "No Authorization header, or a malformed one", "Unauthenticated")
    if given != key:
        raise Refusal(wrong, f"Incorrect API key provided: {given[:2]}***. You can obtain one at the console.")


__all__ = [
    "API_KEY",
    "MANAGEMENT_KEY",
    "Behaviour",
    "FieldDefinition",
    "Member",
    "StoredCollection",
    "StoredFile",
    "World",
    "XaiEmulator",
]
