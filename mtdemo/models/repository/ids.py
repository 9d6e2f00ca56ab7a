"""Ids of the hub, as people write and paste them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"[A-Za-z0-9][\w.-]*"
_ID = re.compile(rf"(?P<name>{_NAME}(?:/{_NAME})?)(?:@(?P<revision>[\w.\-/]+))?")
_ADDRESS = re.compile(
    rf"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?:models/)?(?P<name>{_NAME}/{_NAME})"
    r"(?:/(?:tree|blob|resolve)/(?P<revision>[\w.\-]+)(?:/.*)?)?/?(?:[?#].*)?"
)


@dataclass(frozen=True, slots=True)
class HubId:
    """A repository of the hub and a revision of it.

    Attributes:
        name: `name` or `owner/name`.
        revision: a branch, a tag or a commit; None for the main one.
    """

    name: str
    revision: str | None = None


def read_hub_id(text: str) -> HubId | None:
    """Read an id; None for what is none.

    `owner/name`, `owner/name@v2` and `https://huggingface.co/owner/name/tree/v2` are ids, with spaces around them or not.
    """
    found = _ID.fullmatch(text.strip()) or _ADDRESS.fullmatch(text.strip())
    return HubId(found["name"], found["revision"]) if found else None
