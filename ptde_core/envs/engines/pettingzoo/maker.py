"""What `--map` says of a PettingZoo environment: where its maker is, what it is called with, how the team is rewarded.

    my_module:parallel_env?n=5&mode=hard#reward=playing

Behind `?` stand the maker's arguments, joined by `&`; behind `#` what ptde itself is to do, joined likewise.
"""

import tomllib
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import unquote

from ptde_core.base.errors import PtdeError, unknown

EXAMPLE = "type for example: --map 'my_module:parallel_env?n=5'"
Reward = Literal["team", "playing"]


@dataclass(frozen=True)
class Place:
    """An environment, taken apart.

    `reward`: the team's is the mean of the agents' rewards: over the whole team, in which one who has left counts as 0
    ("team"), or over those who still played in the step ("playing").
    """

    module: str
    maker: str  # "" if the module stands for its `parallel_env`
    arguments: dict[str, Any]
    reward: Reward

    @classmethod
    def of(cls, text: str) -> "Place":
        """Of what was typed.

        Raises:
            PtdeError: an argument that is no key=value, is there twice, or an option that there is not.
        """
        rest, _, options = text.partition("#")
        where, _, arguments = rest.partition("?")
        module, _, maker = where.partition(":")
        chosen = _pairs(options, text)
        for key in chosen:
            if key != "reward":
                raise unknown("option of a PettingZoo environment", key, ["reward"])
        reward = chosen.get("reward", "team")
        if reward not in get_args(Reward):
            raise unknown("reward of a team", str(reward), get_args(Reward))
        return cls(module, maker, _pairs(arguments, text), reward)


def _pairs(text: str, whole: str) -> dict[str, Any]:
    """Values by key; a value is read as TOML (5, 0.5, true, [1, 2]) and as plain text failing that, as `--set` does."""
    found: dict[str, Any] = {}
    for pair in filter(None, text.split("&")):
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise PtdeError(f"{pair!r} in {whole!r} is not of the form key=value", EXAMPLE)
        if key in found:
            raise PtdeError(f"{whole!r} gives {key} twice", EXAMPLE)
        plain = unquote(value)
        try:
            found[key] = tomllib.loads(f"value = {plain}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = plain
    return found
