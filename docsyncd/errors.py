"""What can go wrong, sorted by what the worker must do about it.

Conflicts and holds are values (`core`), not exceptions: an exception stops the work on one key.
The queue's side of each class is in `docs/explanation/errors.md`.
"""

from __future__ import annotations


class DocsyncdError(Exception):
    """Base of everything docsyncd raises on purpose; its text is meant for a person."""

    fix: str = ""
    """What helps, as a sentence, where that is known; the text may end with it."""

    @property
    def problem(self) -> str:
        """The text without the fix."""
        return str(self).removesuffix(self.fix).rstrip()


class ConfigError(DocsyncdError):
    """The configuration cannot be used. The old generation stays.

    :param key: dotted TOML key, such as `connectors.xai.api_key`; empty for the file as a whole.
    :param fix: what to write instead, as a sentence.
    """

    def __init__(self, message: str, *, key: str = "", fix: str = "") -> None:
        self.key = key
        self.fix = fix
        super().__init__(": ".join(part for part in (key, message) if part) + (f" {fix}" if fix else ""))


class PluginError(DocsyncdError):
    """A plugin cannot be used. The old generation stays; the text names the plugin and its distribution."""


class RemoteError(DocsyncdError):
    """A remote did not do what it was asked. `remote` is the connector's name in the configuration."""

    def __init__(self, message: str, *, remote: str) -> None:
        self.remote = remote
        super().__init__(f"{remote}: {message}")


class Unavailable(RemoteError):
    """The remote as a whole is away: its breaker opens, the key is released, no attempt is counted.

    :param retry_after: seconds that the remote asked for, or None.
    """

    def __init__(self, message: str, *, remote: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message, remote=remote)


class CredentialsRefused(Unavailable):
    """The remote refuses our key. Its breaker stays open until the key changes; a person is alerted."""


class RequestFailed(RemoteError):
    """This one request failed (500, time-out) while the remote is healthy: an attempt is counted, with back-off."""


class OutcomeUnknown(RequestFailed):
    """A request that must not be repeated blindly broke off after it was sent: its effect may or may not exist."""


class PreconditionFailed(RemoteError):
    """The thing to be replaced is no longer what it was: plan again at once, three times at most."""


class Rejected(RemoteError):
    """The remote refuses this content or request for good, in its own words: park."""


class CollectionGone(Rejected):
    """A collection of the index that we filled no longer exists. Its mapping halts; it is neither re-created nor emptied."""

    def __init__(self, collection: str, *, remote: str) -> None:
        self.collection = collection
        super().__init__(f"collection {collection} does not exist any more", remote=remote)


class FileGone(PreconditionFailed):
    """A file that was to be placed is no longer in the index: drop it from the memory, and the plan uploads it again."""

    def __init__(self, file: str, *, remote: str) -> None:
        self.file = file
        super().__init__(f"file {file} does not exist any more", remote=remote)


class ProtocolViolation(RemoteError):
    """The remote answered something that its protocol does not allow: park."""


class CorruptContent(RemoteError):
    """Bytes differ from what was announced (length, hash): discard, retry once, park."""


class NotReady(RemoteError):
    """The thing is there but unfinished (an upload under way): look again later, no attempt counted.

    :param retry_after: seconds until it is worth looking again.
    """

    def __init__(self, message: str, *, remote: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message, remote=remote)


class SafetyHalt(DocsyncdError):
    """A valve closed. The key is held under the valve's name until a person decides.

    :param valve: the valve's name, such as `mass-deletion`.
    """

    def __init__(self, message: str, *, valve: str) -> None:
        self.valve = valve
        super().__init__(f"{valve}: {message}")


class LeaseLost(DocsyncdError):
    """Another worker may own the key now: drop everything, touch nothing more."""


class QueueUnavailable(DocsyncdError):
    """Redis does not answer, or is loading or read-only. Nothing was acknowledged."""


class SignatureRefused(DocsyncdError):
    """A webhook is not signed, or not by a secret that we know."""


class DiskFull(DocsyncdError):
    """Our own disk cannot take what has to be staged. Nothing was lost; the key is looked at again, without counting."""
