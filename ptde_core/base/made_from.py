"""What a result was made from, and a digest of that. Every file with a result carries both; every reader checks them.

A result is made from a world (environment, version of its rules, map and the map's content), from those settings of its
stage that decide it, and from other results, its parents, named by their ids. Results with equal digests differ by
chance only. A result is stale if its world or a parent has changed since.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ptde_core.base.errors import PtdeError

Stage = Literal["train-teacher", "collect", "distill", "evaluate"]
KEY = "made_from"  # under which a file holds it
DIGEST = "digest"


def digest_of(value: Any) -> str:
    """Short hash (16 hexadecimal digits) of plain values: equal for equal values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class World(BaseModel):
    """What is played: `map_digest` is that of the map's content, "" where its name and the version say it all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    version: str
    map: str
    map_digest: str = ""

    def changed(self, now: "World") -> str:
        """What has changed, in words that follow "made on ..."; "" if nothing has."""
        if (self.environment, self.version) != (now.environment, now.version):
            return f"made on {self.environment} {self.version}, here it is {now.environment} {now.version}"
        if self.map != now.map:
            return f"made on the map {self.map}, now it is {now.map}"
        if self.map_digest != now.map_digest:
            return f"made on the map {self.map} with the content {self.map_digest}, now it is {now.map_digest}"
        return ""


class MadeFrom(BaseModel):
    """All that a result was made from.

    Args:
        stage: that made it.
        world: that was played.
        settings: of that stage, those that decide the result.
        parents: kind of parent ("teacher", "episodes", "policy") -> its id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Stage
    world: World
    settings: dict[str, Any]
    parents: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """Equal for results that were made from the same, and only for these."""
        return digest_of(self.model_dump())

    def plain(self) -> dict[str, Any]:
        """As plain values for a file, with the digest."""
        return {**self.model_dump(), DIGEST: self.digest}

    def changed(self, now: "MadeFrom", *, ignoring: Collection[str] = ()) -> str:
        """What has changed, in words that follow "it was ..."; "" if nothing has.

        Args:
            now: what it would be made from if it were made again.
            ignoring: settings that may differ.
        """
        if other := self.world.changed(now.world):
            return other
        if self.stage != now.stage:
            return f"made by {self.stage}, not by {now.stage}"
        if key := different(self.settings, now.settings, ignoring):
            was, is_now = (one.get(key, "not set") for one in (self.settings, now.settings))
            return f"made with {key} = {was!r}, not {is_now!r}"
        if key := different(self.parents, now.parents):
            return f"made from another {key}"
        return ""


def different(one: Mapping[str, Any], other: Mapping[str, Any], ignoring: Collection[str] = ()) -> str:
    """The first key, by name, whose values are not equal; "" if there is none."""
    keys = sorted({*one, *other}.difference(ignoring))
    return next((key for key in keys if key not in one or key not in other or one[key] != other[key]), "")


def read_made_from(value: Any, path: object) -> MadeFrom:
    """What a file says that it was made from.

    Args:
        value: what lies under `KEY` in the file; None where there is nothing.
        path: of the file, for the error.

    Raises:
        PtdeError: it does not say (an older development version wrote it), or its digest does not fit the rest.
    """
    if value is None:
        raise PtdeError(f"{path} does not say what it was made from", "it is of an older ptde; make it anew")
    try:
        held = dict(value)
        digest = held.pop(DIGEST)
        made = MadeFrom.model_validate(held)
    except (KeyError, TypeError, ValueError, ValidationError):
        raise PtdeError(f"{path} does not say readably what it was made from", "was it edited? make it anew") from None
    if made.digest != digest:
        raise PtdeError(f"{path} was not made from what it says: its digest is another", "was it edited? make it anew")
    return made
