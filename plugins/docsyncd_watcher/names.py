"""Case-file numbers and paths on the wire. Hostile names are the normal case: nothing here interprets, it encodes or refuses."""

from __future__ import annotations

from urllib.parse import quote

from docsyncd.api import CaseFileNumber, Rejected, RelativePath

SUBFOLDER = "subfolder-not-writable"
OUTSIDE = "path-outside-case-file"

_STEPS = frozenset({"", ".", ".."})


def encoded(text: str) -> str:
    """Percent-encoded UTF-8, every character that is not a letter, a digit or one of `_.-~`; lone surrogates like any other
    UTF-16 unit, in three bytes."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def relative(path: str) -> RelativePath:
    """`\\` and `/` separate alike on Windows; here it is `/`."""
    return RelativePath(path.replace("\\", "/"))


def leaves_the_case_file(path: str) -> bool:
    """Absolute, with a drive, through `..`, or with an empty part: whoever follows it may end up anywhere."""
    return not _STEPS.isdisjoint(path.split("/")) or path[1:2] == ":"


def has_folder(path: str) -> bool:
    return "/" in path


def is_text(path: str) -> bool:
    """Without lone surrogates: NTFS allows them, no database and no JSON elsewhere does."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def listing_path(case_file: CaseFileNumber) -> str:
    return f"/akte-details?akte={encoded(case_file)}"


def file_path(case_file: CaseFileNumber, path: RelativePath, *, remote: str) -> str:
    """`Rejected` for a path that leads out of the case file's folder."""
    _require_inside(path, remote)
    return f"/file?akte={encoded(case_file)}&path={encoded(path)}"


def upload_path(case_file: CaseFileNumber, path: RelativePath, *, remote: str) -> str:
    """The same; and a number that would be a step in the path is none."""
    _require_inside(path, remote)
    if case_file in ("", ".", ".."):
        raise Rejected(f"{case_file!r} is no case-file number", remote=remote)
    parts = "/".join(encoded(part) for part in path.split("/"))
    return f"/files/{encoded(case_file)}/{parts}"


def _require_inside(path: RelativePath, remote: str) -> None:
    if leaves_the_case_file(path):
        raise Rejected(f"{OUTSIDE}: a path that leads out of the case file is never followed", remote=remote)
