"""From recorded episodes to a replay: where the units were, whom they hit, values and z of teacher and student."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.algorithms.building import sights_of
from ptde_core.algorithms.from_checkpoint import Trained, restore
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, silent
from ptde_core.base.provenance import code
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.engines.football.scenarios import SCENARIOS, read_map
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.skirmish.skirmish import UNIT_TYPES, Skirmish
from ptde_core.envs.skirmish.units import unit_facts
from ptde_core.envs.two_views import StateBesideView
from ptde_core.envs.workers.pool import EnginePool
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.pipeline.play_episodes import environments_for, play_episodes
from ptde_core.pipeline.policy_names import name_of
from ptde_core.policies.network_inputs import local_inputs_of
from ptde_core.policies.policy import Exploration
from ptde_core.rollout.step_through import step_through
from ptde_core.runs.identity import check_world_of
from ptde_core.storage.checkpoint import identity, load_checkpoint
from ptde_core.storage.evaluation_file import ZSource
from ptde_core.storage.replay_file import Mind, Replay, ReplayEpisode, ReplayHeader, Role, UnitLook, Units
from ptde_core.storage.run_folder import RunFolder, all_students_of
from ptde_core.storage.whole_file import replacing

PLAYER_RADIUS, BALL_RADIUS = 0.024, 0.014  # in football, larger than real ones, so that they can be seen


@dataclass(frozen=True)
class Candidate:
    """One policy with one source of z: what is evaluated, and what plays a replay."""

    path: Path
    content: dict[str, Any]
    z: ZSource

    @property
    def role(self) -> Role:
        """Teacher or student."""
        role: Role = self.content["kind"]
        return role

    @property
    def place(self) -> str:
        """The checkpoint's path inside its run."""
        return self.path.relative_to(RunFolder.of(self.path).path).as_posix()

    def name_of(self, trained: Trained) -> str:
        """Table name of its policy, once that is restored."""
        return name_of(self.content, trained)

    def how(self, *, keep_noise: bool) -> Exploration:
        """Greedy play with that z; a replay needs the noise that was drawn for it."""
        return Exploration(z="sampled" if self.z == "sampled" else "mean", keep_noise=keep_noise)


def candidates_of(path: Path) -> list[Candidate]:
    """The policy in a checkpoint, once for each source of z that it is measured with; the paper's way first.

    Raises:
        PtdeError: no teacher's or student's checkpoint.
    """
    content = load_checkpoint(path, "teacher", "student")
    kind = INFORMATION[content["settings"]["global_info"]]
    sources: tuple[ZSource, ...] = ("none",)
    if content["kind"] == "student" and kind.distillable:
        sources = ("student",)
    elif kind.centralized:
        sources = ("sampled", "mean") if kind.sampled else ("exact",)
    return [Candidate(path, content, z) for z in sources]


def play_again(
    candidate: Candidate,
    evaluation_seed: int,
    number: int,
    beside: Path | None = None,
    *,
    listen: Listener = silent,
) -> Replay:
    """The replay of one episode of an evaluation's list, played now; equal play gives the episode that was counted.

    Args:
        candidate: who plays.
        evaluation_seed: of that list.
        number: which of its episodes, from 0.
        beside: the checkpoint that is shown next to it, if there is one.
        listen: is told of engines that broke.

    Raises:
        PtdeError: its world has changed since.
    """
    check_world_of(candidate.content, candidate.path)
    trained = restore(candidate.content)
    seeds = episode_seeds(evaluation_seed, "evaluate", number, 1)
    run = RunFolder.of(candidate.path)
    with environments_for(trained, run, 1) as env:
        episodes = list(play_episodes(env, trained.policy, seeds, candidate.how(keep_noise=True), run, listen))
    return record(candidate, trained, episodes, evaluation_seed, beside)


def record_in_game(
    candidate: Candidate, evaluation_seed: int, number: int, path: Path, *, listen: Listener = silent
) -> None:
    """The same episode in the game's own file, written by the game (StarCraft II: .SC2Replay).

    Raises:
        PtdeError: the environment's games keep no such file, or the policy's world has changed since.
    """
    check_world_of(candidate.content, candidate.path)
    trained = restore(candidate.content)
    if not ENVIRONMENTS[trained.spec.backend].replay:
        raise PtdeError(f"{trained.spec.backend} has no file of its own to keep a game in", "leave --format game out")
    seeds = episode_seeds(evaluation_seed, "evaluate", number, 1)
    run = RunFolder.of(candidate.path)
    with environments_for(trained, run, 1) as env:
        next(play_episodes(env, trained.policy, seeds, candidate.how(keep_noise=False), run, listen))
        games = env.env if isinstance(env, StateBesideView) else env
        assert isinstance(games, EnginePool), f"{trained.spec.backend} runs no engines"
        with replacing(path) as file:
            games.save_recording(0, Path(str(file.name)).absolute())


def record(
    candidate: Candidate,
    trained: Trained,
    episodes: Sequence[Episode],
    evaluation_seed: int,
    beside: Path | None = None,
) -> Replay:
    """The replay of episodes as they were played.

    Of a teacher it also holds the values and z of a student at these steps, of a student those of its teacher, if that
    checkpoint is in the run. Of several students it takes `beside`, else the paper's.

    Args:
        candidate: who played.
        trained: the policy of its checkpoint.
        episodes: with their views, and their noise where z was sampled.
        evaluation_seed: of the list of episodes that they are the first ones of.
        beside: the checkpoint that is shown next to it, if there is one.
    """
    minds: dict[Role, Trained] = {candidate.role: trained}
    names: dict[Role, str] = {candidate.role: candidate.name_of(trained)}
    if partners := partners_of(candidate):
        shown = identity(load_checkpoint(beside, "teacher", "student")["networks"]) if beside else ""
        other = next((one for one in partners if identity(one["networks"]) == shown), partners[0])
        role: Role = other["kind"]
        minds[role] = restore(other)
        names[role] = name_of(other, minds[role])
    looks, floor, units = scene_of(trained, episodes)
    header = ReplayHeader(
        backend=trained.spec.backend,
        backend_version=trained.spec.version,
        map=trained.spec.map,
        names=names,
        role=candidate.role,
        z=candidate.z,
        head=trained.algorithm.head,
        checkpoint=candidate.place,
        teacher_id=trained.teacher_id,
        policy_id=identity(candidate.content["networks"]),
        train_seed=trained.settings.seed,
        env_steps=trained.env_steps,
        evaluation_seed=evaluation_seed,
        code=code(),
        action_names=trained.spec.action_names,
        state_names=trained.spec.state_names,
        looks=looks,
        can_be_won=trained.spec.can_be_won,
        sight=sight_of(trained, candidate.role),
    )
    kept = []
    for episode, of_episode in zip(episodes, units, strict=True):
        kept.append(
            ReplayEpisode(
                seed=episode.seed,
                won=episode.won,
                terminated=episode.terminated,
                actions=episode.actions,
                available=episode.available[:-1],
                reward=episode.reward,
                state=episode.state,
                minds={role: _mind(of, episode, sampled=_draws(candidate, role)) for role, of in minds.items()},
                units=of_episode,
            )
        )
    return Replay(header, tuple(kept), floor)


def _draws(candidate: Candidate, role: Role) -> bool:
    return candidate.role == role and candidate.z == "sampled"


def partners_of(candidate: Candidate) -> list[dict[str, Any]]:
    """The checkpoints in the run of the student's teacher, or of the teacher's students; the paper's student first."""
    run = RunFolder.of(candidate.path)
    if candidate.role == "student":
        paths = [run.path / str(candidate.content.get("teacher_file", candidate.path.name))]
    else:
        paths = all_students_of(candidate.path)
    found = [load_checkpoint(path, "teacher", "student") for path in paths if path != candidate.path and path.is_file()]
    teacher_id = candidate.content["teacher_id"]
    return [one for one in found if one["teacher_id"] == teacher_id and one["kind"] != candidate.role]


def sight_of(trained: Trained, role: Role) -> float | None:
    """How far the agents of a policy see; None where there is no limit, or no distance."""
    sights = sights_of(trained.settings)
    own = "own" if sights is None else sights.own if role == "student" else sights.wide
    if own == "own":
        return ENVIRONMENTS[trained.spec.backend].sight
    return None if isinstance(own, str) else own


def _mind(trained: Trained, episode: Episode, *, sampled: bool) -> Mind:
    policy = trained.policy
    acted = step_through(policy, episode, sampled=sampled)
    mean = step_through(policy, episode, sampled=False).z if sampled else acted.z
    informed = policy.inform(local_inputs_of(episode), torch.from_numpy(episode.state[:-1]))
    return Mind(
        values=acted.values.numpy(),
        mean=_half(mean),
        sigma=_half(None if informed is None else informed.sigma),
        sampled=_half(acted.z) if sampled else None,
    )


def _half(z: Tensor | None) -> NDArray[np.float16] | None:
    return None if z is None else z.detach().numpy().astype(np.float16)


Scene = tuple[tuple[UnitLook, ...], NDArray[np.bool_] | None, Sequence[Units | None]]


def scene_of(trained: Trained, episodes: Sequence[Episode]) -> Scene:
    """What can be drawn of episodes: the units' looks, the walkable floor, and per episode where the units were."""
    found: Scene = _SCENES.get(trained.spec.backend, _nothing_to_draw)(trained, episodes)
    return found


def _nothing_to_draw(trained: Trained, episodes: Sequence[Episode]) -> Scene:  # noqa: ARG001  one signature
    return (), None, [None] * len(episodes)


def _battles(trained: Trained, episodes: Sequence[Episode]) -> Scene:
    """Battles, fought again from their seeds and actions."""
    env = trained.environment(1)
    assert isinstance(env, Skirmish)
    units = [_battle(env, episode) for episode in episodes]
    looks = []
    for unit in env.raw_units()[0]:
        facts = unit_facts(UNIT_TYPES[unit["type"]], int(unit["owner"]))
        look = UnitLook(
            name=facts.name,
            side=int(unit["owner"]),
            radius=facts.radius,
            max_health=facts.health,
            max_shield=facts.shield,
        )
        looks.append(look)
    env.close()
    return tuple(looks), env.facts.terrain.walkable, units


def _battle(env: Skirmish, episode: Episode) -> Units:
    env.reset(np.array([episode.seed], np.uint64))
    views, rewards = [env.raw_units()[0]], []
    hits: list[tuple[int, int, int]] = []
    for step, actions in enumerate(episode.actions):
        env.step(actions[None])
        views.append(env.raw_units()[0])
        rewards.append(env.reward[0])
        hits += [(step, one, other) for one, other in env.touched(0).tolist()]
    same = np.array_equal(np.array(rewards, np.float32), episode.reward) and bool(env.won[0]) == episode.won
    assert same, f"the battle of seed {episode.seed} went another way when it was fought again"
    raw = np.stack(views)  # (T+1, U)
    return Units(
        x=raw["x"].astype(np.float32),
        y=raw["y"].astype(np.float32),
        health=raw["health"].astype(np.float32),
        shield=raw["shield"].astype(np.float32),
        alive=raw["alive"],
        hits=np.array(hits, np.int16).reshape(-1, 3),
    )


def _matches(trained: Trained, episodes: Sequence[Episode]) -> Scene:
    """Football, as its state tells it: our team, theirs, and the ball; the agents' players first, in their order."""
    spec, players = trained.spec, SCENARIOS[read_map(trained.spec.map).scenario].players
    teams = _teams(spec)
    order = [("left", str(p)) for p in players] + [
        one for one in teams if one[0] == "right" or int(one[1]) not in players
    ]
    looks = [
        UnitLook(name=number, side=int(team == "right"), radius=PLAYER_RADIUS, max_health=0, max_shield=0)
        for team, number in order
    ]
    looks.append(UnitLook(name="ball", side=2, radius=BALL_RADIUS, max_health=0, max_shield=0))
    column = {name: k for k, name in enumerate(spec.state_names)}
    names = [*(f"{team}_{number}" for team, number in order), "ball"]
    x, y = ([column[f"{name}_{axis}"] for name in names] for axis in "xy")
    return tuple(looks), None, [_match(episode, x, y) for episode in episodes]


def _teams(spec: EnvSpec) -> list[tuple[str, str]]:
    parts = (name.split("_") for name in spec.state_names if name.endswith("_tired"))
    return [(part[0], part[1]) for part in parts]


def _match(episode: Episode, x: list[int], y: list[int]) -> Units:
    places = episode.state[:, x]  # (T+1, U)
    nothing = np.zeros_like(places)
    return Units(
        x=places,
        y=-episode.state[:, y],  # the engine's y grows to the south
        health=nothing,
        shield=nothing,
        alive=np.ones_like(places, np.bool_),
        hits=np.zeros((0, 3), np.int16),
    )


_SCENES: Mapping[str, Any] = {"skirmish": _battles, "football": _matches}
