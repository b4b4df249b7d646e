"""The emulator itself: the routes, who may pass, and how failures are answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import anyio
from aiohttp import web

from docsyncd.api import Clock, SystemClock
from docsyncd.testing.emulation import MAX_BODY, Faults, Handler, RequestLog, instrument
from docsyncd_espocrm.emulator.about import AboutApi
from docsyncd_espocrm.emulator.admin import AdminApi
from docsyncd_espocrm.emulator.attachments import AttachmentApi
from docsyncd_espocrm.emulator.auth import BASE, USER, Gate, challenge
from docsyncd_espocrm.emulator.delivery import Delivery, WebhookJob
from docsyncd_espocrm.emulator.entity_manager import EntityManagerApi
from docsyncd_espocrm.emulator.errors import EspoError, refusal
from docsyncd_espocrm.emulator.people import People
from docsyncd_espocrm.emulator.profiles import Profile
from docsyncd_espocrm.emulator.records import RecordApi
from docsyncd_espocrm.emulator.sender import Dialect, WebhookSettings
from docsyncd_espocrm.emulator.webhooks import WebhookApi
from docsyncd_espocrm.emulator.world import VERSION, World

_OWN_ROUTES = frozenset({"Attachment", "Webhook"})


class EspoEmulator:
    """An EspoCRM to talk to. `applications["url"]` is served by `docsyncd.testing.emulation.serve_emulator`.

    :param profile: whose entity types: docsyncd's own (`seed`), those of the installation it replaces (`vmh-2026-03-23`),
        or none but EspoCRM's (`stock`).
    :param dialect: which EspoCRM, where the two differ.
    :param webhook_period: seconds between two runs of the webhook job while served; None: only `await deliver()` runs it.
    :param clock: stamps, lock-out and retries; a test's own clock can jump.
    """

    def __init__(
        self,
        *,
        profile: Profile = "seed",
        dialect: Dialect = "9.3",
        webhook_period: float | None = 2.0,
        clock: Clock | None = None,
    ) -> None:
        self.dialect = dialect
        self.clock = clock or SystemClock()
        self.world = World(profile, self.clock, VERSION[dialect])
        self.faults = Faults()
        self.requests = RequestLog()
        self.stage = People(self.world)
        self._gate = Gate(self.world)
        self.webhook_job = WebhookJob(self.world, dialect)
        self._period = webhook_period
        self._app = instrument(self._build(), self.faults, self.requests)

    @property
    def applications(self) -> Mapping[str, web.Application]:
        return {"url": self._app}

    @property
    def api_key(self) -> str:
        """Of the API user that the world starts with."""
        return self.world.api_user.api_key

    @property
    def webhook_settings(self) -> WebhookSettings:
        """The knobs of the webhook job; change them in place."""
        return self.webhook_job.settings

    async def deliver(self) -> Sequence[Delivery]:
        """One run of the webhook job, now; what it sent."""
        return await self.webhook_job.run()

    def describe(self, urls: Mapping[str, str]) -> str:
        world = self.world
        return "\n".join(
            (
                f"EspoCRM {world.settings['version']} (emulated), profile {world.profile}: {urls['url']}{BASE}/",
                f"  API user docsyncd:  X-Api-Key: {self.api_key}",
                "  administrator:      admin / admin",
                "  a lawyer:           anwalt / anwalt",
                *(f"  {entity}: {len(world.records(entity))} records" for entity in world.store.schema),
            )
        )

    def _build(self) -> web.Application:
        app = web.Application(middlewares=[self._answer], client_max_size=MAX_BODY)
        records = RecordApi(self.world)
        app.add_routes(AboutApi(self.world).routes())
        app.add_routes(AdminApi(self.world).routes())
        app.add_routes(EntityManagerApi(self.world).routes())
        app.add_routes(AttachmentApi(self.world).routes())
        app.add_routes(WebhookApi(self.world, self.webhook_settings, self.dialect).routes())
        for entity in self.world.store.schema:
            if entity not in _OWN_ROUTES:
                app.add_routes(records.routes(f"{BASE}/{entity}"))
        app.add_routes(records.routes(f"{BASE}/{{entity}}"))
        if self._period is not None:
            app.cleanup_ctx.append(self._job_while_served)
        return app

    async def _job_while_served(self, app: web.Application) -> AsyncIterator[None]:  # noqa: ARG002 - aiohttp's signature
        async with anyio.create_task_group() as group:
            group.start_soon(self._deliver_for_ever)
            yield
            group.cancel_scope.cancel()

    async def _deliver_for_ever(self) -> None:
        while self._period is not None:
            await anyio.sleep(self._period)
            await self.deliver()

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            request[USER] = self._gate.authenticate(request)
            return await handler(request)
        except EspoError as error:
            response = refusal(error)
            if error.status == 401:
                response.headers.update(challenge(request))
            return response
        except web.HTTPMethodNotAllowed as error:
            return _wrong_method(request, error)
        except web.HTTPNotFound:
            return refusal(EspoError(404))


def _wrong_method(request: web.Request, error: web.HTTPMethodNotAllowed) -> web.Response:
    """405 with a text in JSON; OPTIONS gets the same text with a 200 (reference 3.2)."""
    allowed = ", ".join(sorted(error.allowed_methods))
    text = f"Method not allowed. Must be one of: {allowed}"
    status = 200 if request.method == "OPTIONS" else 405
    return web.json_response({"message": text}, status=status, headers={"Allow": allowed})
