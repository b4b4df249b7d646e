"""Create in an EspoCRM what docsyncd needs there, as in the Entity Manager, and print the names that resulted.

    python -m tests.live.prepare_espocrm [--api-user NAME] > names.toml

Reads DOCSYNCD_LIVE_ESPOCRM_URL, …_ADMIN_USER and …_ADMIN_PASSWORD. What exists is left as it is: it can be run again at any time.
EspoCRM prefixes what is added to its own entity types (reference: espocrm.md, 5.2): standard output is the piece of docsyncd.toml
that says what things are called now; what was done goes to standard error. Profile `seed` only: the other one's rows between
document and collection are an installation's own program.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import anyio

from docsyncd_espocrm.profile import Profile, load_profile
from tests.live import environment
from tests.live.espocrm_api import EspoApi, as_person, espo_api

PROFILE: Final = "seed"
CONSENT_FIELD: Final = "aiFreigabe"
ROLE: Final = "docsyncd-live"
"""A role of its own: one that people made by hand is not written over."""

Definition = Mapping[str, Any]


def document_fields(profile: Profile) -> Iterator[tuple[tuple[str, ...], str, Definition]]:
    """Where the profile names it, the wanted name, and what the field is like."""
    names = profile.document
    yield ("status",), names.status, _enum(*(values[0] for values in names.status_values.values()))
    index_statuses = dict.fromkeys(values[0] for values in names.index_status_values.values())
    yield ("index_status",), names.index_status, _enum(*index_statuses)
    yield ("index_file",), names.index_file, _varchar(255)
    yield ("collections",), names.collections, {"type": "array"}
    yield ("indexed_hash",), names.indexed_hash, _varchar(64)
    yield ("index_error",), names.index_error, {"type": "text"}
    yield ("md5",), names.md5, _varchar(32)
    yield ("sha256",), names.sha256, _varchar(64)
    yield ("preview",), names.preview, {"type": "image"}
    kinds = {"number": {"type": "int"}, "last_sync": {"type": "datetime"}, "sync_error": {"type": "text"}}
    for meaning, name in names.extra.items():
        yield ("extra", meaning), name, kinds.get(meaning, _varchar(255))


def case_file_fields(profile: Profile) -> Iterator[tuple[tuple[str, ...], str, Definition]]:
    names = profile.case_file
    yield ("number",), names.number, {"type": "int"}
    yield ("reference",), names.reference, _varchar(100)
    stages = [stage for stage in (*names.admitted, *names.refused) if stage.islower()]
    yield ("stage",), names.stage, {**_enum(*stages), "default": "new"}


def collection_fields(profile: Profile) -> Iterator[tuple[tuple[str, ...], str, Definition]]:
    names = profile.collection
    yield ("id",), names.id, _varchar(255)
    stages = [values[0] for values in names.stage_values.values()]
    yield ("stage",), names.stage, {**_enum(*stages), "default": "new"}


def _varchar(length: int) -> Definition:
    return {"type": "varchar", "maxLength": length}


def _enum(*options: str) -> Definition:
    return {"type": "enum", "options": list(dict.fromkeys(["", *options]))}


def prefixed(name: str) -> str:
    """What EspoCRM makes of a name in one of its own entity types."""
    return f"c{name[0].upper()}{name[1:]}"


def plain(name: str) -> str:
    """Letters and digits only, which is all that the field manager takes: `sync_usn` → `syncUsn`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


class Preparation:
    """One run. `names` collects what is called differently from the profile, by table and key."""

    def __init__(self, api: EspoApi, profile: Profile) -> None:
        self._api = api
        self._profile = profile
        self.names: dict[tuple[str, ...], str] = {}
        self.consent_field = CONSENT_FIELD

    async def run(self) -> None:
        profile = self._profile
        document = profile.document.entity
        if await self._api.metadata(f"entityDefs.{document}") is None:
            raise SystemExit(f"There is no entity type {document}; only a stock EspoCRM's can be prepared.")
        case_file = await self._entity(profile.case_file.entity)
        holder = await self._entity("CAIKnowledge")
        self._note(("case_file", "entity"), profile.case_file.entity, case_file)
        for where, name, definition in document_fields(profile):
            await self._field(document, ("document", *where), name, definition)
        for where, name, definition in case_file_fields(profile):
            await self._field(case_file, ("case_file", *where), name, definition)
        for where, name, definition in collection_fields(profile):
            await self._field(holder, ("collection", *where), name, definition)
        consent = {await self._field(entity, (), CONSENT_FIELD, {"type": "bool"}) for entity in (case_file, holder)}
        if len(consent) > 1:
            raise SystemExit(f"The consent field has two names, {' and '.join(sorted(consent))}; give it one by hand.")
        self.consent_field = consent.pop()
        link = await self._link(document, case_file, "akten", kind="oneToMany")
        self._note(("case_file", "link"), profile.case_file.link, link)
        await self._link(document, holder, "aIKnowledges", kind="manyToMany")

    def _note(self, where: tuple[str, ...], wanted: str, name: str) -> None:
        if name != wanted:
            self.names[where] = name

    async def _entity(self, wanted: str) -> str:
        """The entity type's name. New ones are prefixed with a C, which the profile's name has already."""
        if await self._api.metadata(f"entityDefs.{wanted}") is not None:
            return wanted
        bare = wanted.removeprefix("C")
        body = {"name": bare, "type": "Base", "labelSingular": bare, "labelPlural": bare, "stream": False}
        answer = await self._api.ask("POST", "EntityManager/action/createEntity", body)
        name = str(answer["name"]) if isinstance(answer, dict) else wanted
        say(f"created entity type {name}")
        return name

    async def _field(self, entity: str, where: tuple[str, ...], wanted: str, definition: Definition) -> str:
        """The field's name: as wanted or as prefixed if it exists, else as EspoCRM stored what was created."""
        candidates = list(dict.fromkeys([wanted, plain(wanted), prefixed(wanted), prefixed(plain(wanted))]))
        name = await self._existing(entity, candidates)
        if name is None:
            body = {"name": plain(wanted), "label": plain(wanted), **definition}
            await self._api.ask("POST", f"Admin/fieldManager/{entity}", body)
            name = await self._existing(entity, candidates)
            if name is None:
                raise SystemExit(f"EspoCRM created {entity}.{plain(wanted)} under a name that could not be found.")
            say(f"created field {entity}.{name}")
        if where:
            self._note(where, wanted, name)
        return name

    async def _existing(self, entity: str, candidates: list[str]) -> str | None:
        fields = await self._api.metadata(f"entityDefs.{entity}.fields")
        return next((name for name in candidates if name in fields), None)

    async def _link(self, document: str, entity: str, name: str, *, kind: str) -> str:
        """The document's link to the entity."""
        found = await self._link_to(document, entity)
        if found is None:
            body = {
                "entity": entity,
                "entityForeign": document,
                "link": "dokumente",
                "linkForeign": name,
                "label": "Dokumente",
                "labelForeign": entity,
                "linkType": kind,
                "relationName": None,
            }
            await self._api.ask("POST", "EntityManager/action/createLink", body)
            found = await self._link_to(document, entity)
            if found is None:
                raise SystemExit(f"EspoCRM created no link from {document} to {entity}.")
            say(f"created link {document}.{found}")
        return found

    async def _link_to(self, document: str, entity: str) -> str | None:
        links = await self._api.metadata(f"entityDefs.{document}.links")
        return next((name for name, link in links.items() if link.get("entity") == entity), None)

    async def api_user(self, name: str) -> str:
        """The API key of a user with the role that docsyncd and the live suite need; both are made or brought up to date."""
        entities = [self._profile.document.entity, self._profile.case_file.entity, "CAIKnowledge"]
        every = {"create": "yes", "read": "all", "edit": "all", "delete": "all"}
        data: dict[str, Any] = {"Webhook": True, **dict.fromkeys(entities, every)}
        body = {"name": ROLE, "data": data, "assignmentPermission": "all"}
        roles = [each for each in await self._api.every("Role", (), "name") if each["name"] == ROLE]
        if roles:
            await self._api.ask("PUT", f"Role/{roles[0]['id']}", body)
        role = roles[0] if roles else await self._api.ask("POST", "Role", body)
        users = [each for each in await self._api.every("User", (), "userName") if each.get("userName") == name]
        if users:
            found = await self._api.ask("GET", f"User/{users[0]['id']}")
            if found.get("type") != "api":
                raise SystemExit(f"The user {name} exists and is no API user.")
            return str(found["apiKey"])
        user = {"userName": name, "lastName": name, "type": "api", "authMethod": "ApiKey", "isActive": True}
        made = await self._api.ask("POST", "User", {**user, "rolesIds": [role["id"]]})
        say(f"created API user {name} with role {ROLE}")
        return str(made["apiKey"])

    def toml(self) -> str:
        """The piece of docsyncd.toml."""
        lines = [
            "[index]",
            f"consent_field = {json.dumps(self.consent_field)}",
            "",
            "[connectors.espocrm]",
            f"profile = {json.dumps(PROFILE)}",
        ]
        for table in dict.fromkeys(where[:-1] for where in self.names):
            lines += ["", f"[{'.'.join(('connectors', 'espocrm', 'names', *table))}]"]
            lines += [f"{where[-1]} = {json.dumps(name)}" for where, name in self.names.items() if where[:-1] == table]
        return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr)


async def main(arguments: list[str]) -> None:
    wanted = (environment.ESPOCRM_URL, environment.ADMIN_USER, environment.ADMIN_PASSWORD)
    missing = [name for name in wanted if not os.environ.get(name)]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} must be set: only an administrator can add fields.")
    if arguments and (len(arguments) != 2 or arguments[0] != "--api-user"):
        raise SystemExit("usage: python -m tests.live.prepare_espocrm [--api-user NAME]")
    url, user, password = (os.environ[name] for name in wanted)
    async with espo_api(url, as_person(user, password)) as api:
        preparation = Preparation(api, load_profile(PROFILE))
        await preparation.run()
        if arguments:
            say(f"{environment.ESPOCRM_API_KEY}={await preparation.api_user(arguments[1])}")
        print(preparation.toml())


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
