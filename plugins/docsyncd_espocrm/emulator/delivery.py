"""The webhook job: events become items, items become batches, batches are posted; late, lossy and out of order as in EspoCRM.

Sources: reference 1.2 (queueing), 1.3 (retries), 1.6 (skipOwn).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio
from aiohttp import ClientSession

from docsyncd_espocrm.emulator.access import may
from docsyncd_espocrm.emulator.sender import Dialect, Outcome, WebhookSettings, literal_ip, outcome_of, post
from docsyncd_espocrm.emulator.store import Event, Record
from docsyncd_espocrm.emulator.world import World


@dataclass(slots=True, kw_only=True)
class Item:
    """One event for one webhook. `process_at`: not before; None at once."""

    number: int
    webhook_id: str
    event: Event
    attempts: int = 0
    process_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One POST that was made, for those who watch. `status` 0: no answer."""

    webhook_id: str
    event: str
    url: str
    items: tuple[Mapping[str, Any], ...]
    status: int
    outcome: Outcome


class WebhookJob:
    """The queue of one instance. `events`: not yet looked at; `items`: waiting to be sent."""

    def __init__(self, world: World, dialect: Dialect) -> None:
        self._world = world
        self._dialect: Dialect = dialect
        self._one_at_a_time = anyio.Lock()
        self._numbers = 0
        self.settings = WebhookSettings()
        self.events: deque[Event] = deque()
        self.items: list[Item] = []
        world.store.listeners.append(self._note)

    @property
    def is_idle(self) -> bool:
        return not self.events and not self.items

    async def run(self) -> Sequence[Delivery]:
        """One run: at most 20 events, 20 webhooks, 50 items each."""
        async with self._one_at_a_time:
            self._spread()
            groups = self._due()
            if self.settings.literal_ip_crashes and any(literal_ip(self._url(each)) for each in groups):
                return []
            async with ClientSession() as session:
                made = [await self._send(session, webhook_id, items) for webhook_id, items in groups.items()]
        return [each for each in made if each is not None]

    def _note(self, event: Event) -> None:
        """Kept only while somebody listens to exactly this event; nothing is told later."""
        if self._listening(event.name):
            self.events.append(event)

    def _listening(self, name: str) -> list[Record]:
        webhooks = self._world.store.living("Webhook")
        return [each for each in webhooks if each.attributes["event"] == name and each.attributes["isActive"]]

    def _spread(self) -> None:
        for _ in range(min(self.settings.event_portion, len(self.events))):
            event = self.events.popleft()
            for webhook in self._listening(event.name):
                owner = webhook.attributes.get("userId")
                if not (webhook.attributes["skipOwn"] and owner == event.user_id):
                    self._numbers += 1
                    self.items.append(Item(number=self._numbers, webhook_id=webhook.id, event=event))

    def _due(self) -> dict[str, list[Item]]:
        """By webhook, the one with the oldest item first. A failed item waits, newer ones overtake it."""
        now, groups = self._world.clock.now(), dict[str, list[Item]]()
        for item in sorted(self.items, key=lambda each: each.number):
            if item.process_at is None or item.process_at <= now:
                groups.setdefault(item.webhook_id, []).append(item)
        return {key: items[: self.settings.batch] for key, items in list(groups.items())[: self.settings.portion]}

    async def _send(self, session: ClientSession, webhook_id: str, items: list[Item]) -> Delivery | None:
        webhook = self._world.store.find("Webhook", webhook_id)
        sendable = [item for item in items if webhook is not None and self._is_told(webhook, item)]
        self._forget(item for item in items if item not in sendable)
        if webhook is None or not sendable:
            return None
        view = self._world.store.view(webhook)
        data = tuple(item.event.data for item in sendable)
        result = await post(session, webhook=view, items=data, dialect=self._dialect, settings=self.settings)
        outcome = outcome_of(result, self._dialect)
        self._settle(webhook, sendable, outcome)
        return Delivery(
            webhook_id=webhook_id,
            event=view["event"],
            url=view["url"],
            items=data,
            status=result.status,
            outcome=outcome,
        )

    def _is_told(self, webhook: Record, item: Item) -> bool:
        """Not when the webhook is inactive, the record out of the table, or the webhook's user may not read it."""
        target = self._world.store.find(item.event.entity, item.event.record_id, deleted=True)
        if not webhook.attributes["isActive"] or target is None:
            return False
        owner_id = webhook.attributes.get("userId")
        if owner_id is None:
            return True
        owner = self._world.users.get(owner_id)
        return owner is not None and may(owner, "read", target.entity, target)

    def _settle(self, webhook: Record, items: list[Item], outcome: Outcome) -> None:
        """One bad answer is the answer for the whole batch."""
        if outcome == "retry":
            self._postpone(items)
            return
        self._forget(items)
        if outcome == "webhook removed":
            webhook.deleted = True
            self._forget(item for item in self.items if item.webhook_id == webhook.id)

    def _postpone(self, items: list[Item]) -> None:
        for item in items:
            item.attempts += 1
            item.process_at = self._world.clock.now() + timedelta(seconds=self.settings.fail_period)
        self._forget(item for item in items if item.attempts >= self.settings.max_attempts)

    def _forget(self, items: Any) -> None:
        gone = {item.number for item in items}
        self.items = [item for item in self.items if item.number not in gone]

    def _url(self, webhook_id: str) -> str:
        webhook = self._world.store.find("Webhook", webhook_id)
        return "" if webhook is None else str(webhook.attributes["url"])
