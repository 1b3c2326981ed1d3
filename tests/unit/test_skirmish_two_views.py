"""Skirmish's two views of each agent: by hand, and beside the ordinary observations."""

import numpy as np
import pytest

from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.skirmish.two_view_battles import TwoViewSkirmish
from ptde_core.envs.two_views import Sights, columns_of

SEEDS = np.arange(3, dtype=np.uint64)


@pytest.mark.parametrize("name", ["3m", "2s3z", "MMM"])
def test_with_smacs_sight_both_views_are_the_ordinary_observation(name: str) -> None:
    two, plain = TwoViewSkirmish(name, 3, Sights(9.0, "own")), Skirmish(name, 3)
    chance = np.random.default_rng(1)
    two.reset(SEEDS)
    plain.reset(SEEDS)
    while not (plain.terminated | plain.truncated).all():
        assert np.array_equal(two.obs, np.concatenate([plain.obs, plain.obs], axis=-1))
        actions = np.where(plain.available, chance.random(plain.available.shape), -1.0).argmax(axis=-1)
        two.step(actions)
        plain.step(actions)
        assert np.array_equal(two.state, plain.state)
        assert np.array_equal(two.reward, plain.reward)
    assert np.array_equal(two.won, plain.won)


def test_what_is_seen_by_hand() -> None:
    """Agent 0 at (10, 10); allies 5 and 12.5 away, enemies 6 and 20 away, and one enemy 3 away that is dead."""
    env = TwoViewSkirmish("3m", 1, Sights("all", 5.5))
    env.reset(SEEDS[:1])
    raw = env.raw_units()
    raw["x"][0] = [10.0, 13.0, 10.0, 16.0, 26.0, 10.0]
    raw["y"][0] = [10.0, 14.0, 22.5, 10.0, 22.0, 13.0]
    raw["health"][0] = [45.0, 9.0, 45.0, 30.0, 45.0, 45.0]
    raw["alive"][0, 5] = False
    env.set_units(raw)
    moves, own = [1, 1, 1, 1], [1.0]
    first = [1, 6 / 9, 6 / 9, 0, 30 / 45]
    second = [0, 20 / 9, 16 / 9, 12 / 9, 1]
    nobody = [0.0] * 5
    friend = [1, 5 / 9, 3 / 9, 4 / 9, 9 / 45]
    far_friend = [1, 12.5 / 9, 0, 12.5 / 9, 1]
    wide = [*moves, *first, *second, *nobody, *friend, *far_friend, *own]
    narrow = [*moves, *nobody, *nobody, *nobody, *friend, *nobody, *own]  # within 5.5, the enemy at 6 is not seen
    np.testing.assert_allclose(env.obs[0, 0, columns_of(env.spec, "wide")], wide, atol=1e-6)
    np.testing.assert_allclose(env.obs[0, 0, columns_of(env.spec, "own")], narrow, atol=1e-6)


@pytest.mark.parametrize("name", ["2s3z", "corridor"])
def test_on_full_sight_every_living_unit_is_seen_by_every_living_agent(name: str) -> None:
    env = TwoViewSkirmish(name, 3, Sights("all", "own"))
    own_names = [n.split(": ")[1] for n in env.spec.obs_names[columns_of(env.spec, "wide")]]
    distance = [k for k, n in enumerate(own_names) if n.endswith(".distance")]  # enemies, then the other allies
    env.reset(SEEDS)
    chance = np.random.default_rng(2)
    n = env.spec.n_agents
    for _ in range(25):
        env.step(np.where(env.available, chance.random(env.available.shape), -1.0).argmax(axis=-1))
        alive = env.raw_units()["alive"]  # (E, U)
        for agent in range(n):
            others = np.concatenate([alive[:, n:], np.delete(alive[:, :n], agent, axis=1)], axis=1)
            seen = env.obs[:, agent, distance] > 0
            assert np.array_equal(seen, others & alive[:, agent, None])


def test_a_restored_battle_shows_both_views_again() -> None:
    env = TwoViewSkirmish("2s3z", 3, Sights("all", 2.0))
    env.reset(SEEDS)
    kept, shown = env.snapshot(), env.obs.copy()
    env.step(env.available.argmax(axis=-1))
    assert not np.array_equal(env.obs, shown)
    env.restore(kept)
    assert np.array_equal(env.obs, shown)


def test_other_sights_are_another_environment_and_the_ordinary_one_is_as_it_was() -> None:
    prints = {
        TwoViewSkirmish("3m", 1, sights).spec.fingerprint()
        for sights in (Sights("all", "own"), Sights("all", 2.0), Sights(12.0, "own"))
    }
    assert len(prints | {Skirmish("3m", 1).spec.fingerprint()}) == 4
    own = TwoViewSkirmish("3m", 1, Sights("all", "own")).spec.fingerprint()
    assert own == TwoViewSkirmish("3m", 1, Sights("all", 9.0)).spec.fingerprint()
