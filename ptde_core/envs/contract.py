"""One callable test of the whole `BatchedEnv` contract, for every environment of the catalogue and for users' own.

Example: `check_environment(lambda n_envs: MyEnv(n_envs))`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.interface import BatchedEnv, FreeRows

Make = Callable[[int], BatchedEnv]
Frame = dict[str, NDArray[Any]]
_ARRAYS = ("obs", "state", "available", "reward", "terminated", "truncated", "won", "lost")


def check_environment(
    make: Make,
    seed: int = 0,
    steps: int = 40,
    reproducible: bool = True,
    can_snapshot: bool = True,
    reaches_limit: bool = False,
) -> None:
    """Play an environment with random available actions and check all that `interface` promises.

    Args:
        make: builds the environment with the given number of battles; each call a fresh one.
        seed: decides episodes and actions of the check.
        steps: env steps that most parts of the check play.
        reproducible: whether equal seeds give equal episodes (engines without own seeding: False).
        can_snapshot: whether `snapshot` works; where False, it must raise NotImplementedError.
        reaches_limit: whether to play on until some episode ends by the time limit (the environment must allow it
            by always taking the first available action).

    Raises:
        AssertionError: the promise that is broken, with what was seen.
    """
    _check_shapes(make, seed)
    _check_running(make, seed, steps)
    _check_refusal(make, seed)
    _check_partial_reset(make, seed, steps)
    if reproducible:
        _check_reproducible(make, seed, steps)
        _check_free_rows(make, seed, steps)
    _check_snapshot(make, seed, steps, can_snapshot and reproducible)
    if reaches_limit:
        _check_limit(make, seed)


def random_actions(env: BatchedEnv, generator: np.random.Generator) -> NDArray[np.int64]:
    """One uniformly random available action per agent (E, N)."""
    noise = generator.random(env.available.shape)
    return np.asarray(np.where(env.available, noise, -1.0).argmax(axis=-1), np.int64)


def _seeds(seed: int, count: int) -> NDArray[np.uint64]:
    return np.asarray(np.random.SeedSequence([seed, 20240229]).generate_state(count, np.uint64), np.uint64)


def _frame(env: BatchedEnv) -> Frame:
    return {name: getattr(env, name).copy() for name in _ARRAYS}


def _same(a: Frame, b: Frame, rows_a: Any, rows_b: Any) -> str | None:
    """The name of the first array in which the rows differ."""
    return next((name for name in _ARRAYS if not np.array_equal(a[name][rows_a], b[name][rows_b])), None)


def _check_shapes(make: Make, seed: int) -> None:
    env = make(3)
    spec = env.spec
    assert env.n_envs == 3, f"n_envs is {env.n_envs} after make(3)"
    for names, size, what in (
        (spec.obs_names, spec.obs_size, "obs"),
        (spec.state_names, spec.state_size, "state"),
        (spec.action_names, spec.n_actions, "action"),
    ):
        assert len(names) == size, f"{len(names)} {what} names for {size} features or actions"
        assert len(set(names)) == size, f"{what} names repeat"
    assert spec.episode_limit >= 1, f"episode_limit is {spec.episode_limit}"
    other = make(1)
    assert spec.fingerprint() == other.spec.fingerprint(), "the spec changes from one instance to the next"
    other.close()
    env.reset(_seeds(seed, 3))
    n, a, o, s = spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size
    wanted: dict[str, tuple[tuple[int, ...], type]] = {
        "obs": ((3, n, o), np.float32),
        "state": ((3, s), np.float32),
        "available": ((3, n, a), np.bool_),
        "reward": ((3,), np.float32),
        "terminated": ((3,), np.bool_),
        "truncated": ((3,), np.bool_),
        "won": ((3,), np.bool_),
        "lost": ((3,), np.bool_),
    }
    for name, (shape, kind) in wanted.items():
        array = getattr(env, name)
        assert array.shape == shape, f"{name} has shape {array.shape}, not {shape}"
        assert array.dtype == kind, f"{name} is {array.dtype}, not {kind.__name__}"
    before = {name: id(getattr(env, name)) for name in _ARRAYS}
    env.step(random_actions(env, np.random.default_rng(seed)))
    moved = [name for name in _ARRAYS if id(getattr(env, name)) != before[name]]
    assert not moved, f"step replaced the arrays {moved} instead of writing into them"
    env.close()


def _check_running(make: Make, seed: int, steps: int) -> None:
    """Masks, finiteness, end flags, and that finished environments stand still."""
    env, generator = make(4), np.random.default_rng(seed)
    env.reset(_seeds(seed, 4))
    assert not (env.terminated | env.truncated | env.won | env.lost).any(), "an end flag is set right after reset"
    assert (env.reward == 0).all(), f"reward is {env.reward} right after reset"
    played = 0
    while played < max(steps, 1) and not (env.terminated | env.truncated).all():
        assert env.available.any(axis=-1).all(), "an agent has no available action"
        ended, before = env.terminated | env.truncated, _frame(env)
        env.step(random_actions(env, generator))
        played += 1
        for name in ("obs", "state", "reward"):
            assert np.isfinite(getattr(env, name)).all(), f"{name} is not finite after step {played}"
        assert not (env.terminated & env.truncated).any(), "terminated and truncated are both set"
        assert not (env.won & ~env.terminated).any(), "won without terminated"
        assert env.spec.can_be_won or not env.won.any(), "won where the spec says that nothing can be won"
        assert not env.lost.any(), f"an engine broke in step {played}"
        after = _frame(env)
        for name in _ARRAYS:
            if name != "reward":
                unchanged = np.array_equal(before[name][ended], after[name][ended])
                assert unchanged, f"{name} of a finished environment changed in step {played}"
        assert (env.reward[ended] == 0).all(), "a finished environment still pays reward"
    env.close()


def _check_refusal(make: Make, seed: int) -> None:
    """An unavailable action is a ValueError and moves nothing."""
    env, generator = make(2), np.random.default_rng(seed)
    env.reset(_seeds(seed, 2))
    actions = random_actions(env, generator)
    taken = np.argwhere(~env.available)
    bad: list[tuple[int, int, int]] = [(int(e), int(i), int(a)) for e, i, a in taken[:1]]
    bad.append((0, 0, env.spec.n_actions))
    bad.append((1, env.spec.n_agents - 1, -1))
    before = _frame(env)
    for e, i, action in bad:
        wrong = actions.copy()
        wrong[e, i] = action
        says = _refusal(env, wrong)
        assert says is not None, f"action {action} of agent {i} in environment {e} is not available, but was accepted"
        assert says, "the ValueError for an unavailable action says nothing"
        differs = _same(before, _frame(env), slice(None), slice(None))
        assert differs is None, f"{differs} changed although the action was refused"
    env.step(actions)
    env.close()


def _refusal(env: BatchedEnv, actions: NDArray[np.int64]) -> str | None:
    """What the environment says against the actions; None if it takes them."""
    try:
        env.step(actions)
    except ValueError as error:
        return str(error)
    return None


def _check_partial_reset(make: Make, seed: int, steps: int) -> None:
    """Reset of some rows leaves the others alone."""
    env, generator = make(3), np.random.default_rng(seed)
    seeds = _seeds(seed, 4)
    env.reset(seeds[:3])
    start = _frame(env)
    for _ in range(min(steps, 5)):
        env.step(random_actions(env, generator))
    before = _frame(env)
    env.reset(seeds[3:], rows=np.array([1]))
    differs = _same(before, _frame(env), [0, 2], [0, 2])
    assert differs is None, f"{differs} of other rows changed when row 1 was reset"
    env.reset(seeds[1:2], rows=np.array([1]))
    assert not (env.terminated | env.truncated)[1], "a reset row is not running"
    assert np.array_equal(env.available[1], start["available"][1]), "a reset row does not start afresh"
    env.close()


def _play(env: BatchedEnv, generators: list[np.random.Generator], steps: int) -> list[Frame]:
    """Frames of a play in which each row has its own stream of actions."""
    frames = [_frame(env)]
    for _ in range(steps):
        noise = np.stack([g.random(env.available.shape[1:]) for g in generators])
        env.step(np.where(env.available, noise, -1.0).argmax(axis=-1))
        frames.append(_frame(env))
    return frames


def _check_reproducible(make: Make, seed: int, steps: int) -> None:
    """Same seed and actions, same episode: again, in another row, in another batch."""
    seeds = _seeds(seed, 5)
    wide, alone = make(5), make(1)
    for _ in range(2):  # the second time after other episodes
        wide.reset(seeds)
        alone.reset(seeds[3:4])
        many = _play(wide, [np.random.default_rng([seed, k]) for k in range(5)], steps)
        one = _play(alone, [np.random.default_rng([seed, 3])], steps)
        for t, (a, b) in enumerate(zip(many, one, strict=True)):
            differs = _same(a, b, 3, 0)
            assert differs is None, f"{differs} depends on the batch: step {t} of one episode in a batch of 5 and of 1"
    wide.reset(seeds[::-1].copy())
    again = _play(wide, [np.random.default_rng([seed, 4 - k]) for k in range(5)], steps)
    for t, (a, b) in enumerate(zip(many, again, strict=True)):
        differs = _same(a, b, 3, 1)
        assert differs is None, f"{differs} depends on the row or on what was played before (step {t})"
    wide.close()
    alone.close()


def _check_free_rows(make: Make, seed: int, steps: int) -> None:
    """Rows that can go on by themselves play, each at its own pace, what they play in lock-step."""
    env = make(3)
    if isinstance(env, FreeRows):
        seeds = _seeds(seed, 3)
        env.reset(seeds)
        frames = _play(env, [np.random.default_rng([seed, k]) for k in range(3)], steps)
        env.reset(seeds[::-1].copy())  # the next is what must be forgotten
        env.ask([0], random_actions(env, np.random.default_rng(seed))[:1])
        for row in range(3):
            env.begin(row, int(seeds[row]))
        _follow(env, frames, [np.random.default_rng([seed, k]) for k in range(3)])
    env.close()


def _follow(env: FreeRows, frames: list[Frame], generators: list[np.random.Generator]) -> None:
    played = dict.fromkeys(range(len(generators)), -1)  # steps of each row; its first answer is that to `begin`
    while played:
        before = _frame(env)
        rows = env.answered()
        assert rows, "no row has answered"
        assert set(rows) <= set(played), f"rows {rows} have answered, of which some were asked nothing"
        others = [row for row in range(env.n_envs) if row not in rows]
        differs = _same(before, _frame(env), others, others)
        assert differs is None, f"{differs} of rows {others} changed, but rows {rows} have answered"
        for row in rows:
            played[row] += 1
            differs = _same(_frame(env), frames[played[row]], row, row)
            assert differs is None, f"{differs} depends on lock-step: step {played[row]} of row {row}"
            if (env.terminated | env.truncated)[row] or played[row] == len(frames) - 1:
                del played[row]
                continue
            noise = generators[row].random(env.available.shape[1:])
            env.ask([row], np.where(env.available[row], noise, -1.0).argmax(axis=-1)[None])


def _check_snapshot(make: Make, seed: int, steps: int, works: bool) -> None:
    """What follows a restored snapshot is what followed it the first time."""
    env = make(2)
    env.reset(_seeds(seed, 2))
    if not works:
        env.close()
        return
    _play(env, [np.random.default_rng([seed, k]) for k in range(2)], steps // 2)
    snapshot = env.snapshot()
    first = _play(env, [np.random.default_rng([seed, 9, k]) for k in range(2)], steps // 2)
    env.restore(snapshot)
    second = _play(env, [np.random.default_rng([seed, 9, k]) for k in range(2)], steps // 2)
    for t, (a, b) in enumerate(zip(first, second, strict=True)):
        differs = _same(a, b, slice(None), slice(None))
        assert differs is None, f"{differs} differs {t} steps after a restored snapshot"
    env.close()


def _check_limit(make: Make, seed: int) -> None:
    """The time limit truncates, exactly at the limit, and does not terminate."""
    env = make(1)
    env.reset(_seeds(seed, 1))
    played = 0
    while not (env.terminated | env.truncated)[0]:
        env.step(env.available.argmax(axis=-1))
        played += 1
        assert played <= env.spec.episode_limit, f"still running after {played} steps"
    assert env.truncated[0], "the environment ended by itself: the time limit was not reached"
    assert played == env.spec.episode_limit, f"truncated after {played} steps, not {env.spec.episode_limit}"
    assert not env.won[0], "won by running out of time"
    env.close()
