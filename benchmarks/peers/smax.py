"""JaxMARL's SMAX, and a QMIX on it written for this comparison in JAX; runs in the peers' own environment, prints JSON.

JaxMARL's package has the simulator, not its baselines. So the learner here is ours, plainly, of the sizes and in the
manner of JaxMARL's QMIX: collecting is one compiled scan, an update another, over padded sequences of equal length.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario

GAMMA, LAMBDA = 0.99, 0.6


def seconds(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Wall seconds of the first call, with its compilation, and the median of further ones."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        jax.block_until_ready(work())
        times.append(time.perf_counter() - began)
    return times[0], median(times[1:])


class Agent(nn.Module):
    """h = GRU(ReLU(W o)), Q = W h, over time."""

    hidden: int
    actions: int

    @nn.compact
    def __call__(self, hidden: jax.Array, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Hidden (rows, H) after, and values (T, rows, A) of inputs (T, rows, L)."""
        x = nn.relu(nn.Dense(self.hidden)(inputs))
        scan = nn.scan(nn.GRUCell, variable_broadcast="params", split_rngs={"params": False})
        hidden, history = scan(self.hidden)(hidden, x)
        return hidden, nn.Dense(self.actions)(history)


class Mixer(nn.Module):
    """QMIX's mixing network."""

    embed: int
    hyper: int

    @nn.compact
    def __call__(self, values: jax.Array, state: jax.Array) -> jax.Array:
        """Team values (...) from values (..., N) and states (..., S)."""
        n = values.shape[-1]

        def made(width: int, outputs: int) -> jax.Array:
            return nn.Dense(outputs)(nn.relu(nn.Dense(width)(state)))

        first = jnp.abs(made(self.hyper, n * self.embed)).reshape(*values.shape, self.embed)
        hidden = nn.elu(jnp.einsum("...n,...nm->...m", values, first) + nn.Dense(self.embed)(state))
        return (hidden * jnp.abs(made(self.hyper, self.embed))).sum(-1) + made(self.embed, 1)[..., 0]


class Bench:
    """One map: the simulator, and QMIX on it."""

    def __init__(self, map_name: str, environments: int) -> None:
        self.env = HeuristicEnemySMAX(scenario=map_name_to_scenario(map_name), enemy_shoots=True, attack_mode="closest")
        self.count, self.names = environments, self.env.agents
        self.key = jax.random.PRNGKey(0)
        obs, self.state = jax.vmap(self.env.reset)(jax.random.split(self.key, environments))
        self.obs = self.stacked(obs)  # (E, N, O)
        self.actions = self.env.action_space(self.names[0]).n
        self.state_size = obs["world_state"].shape[-1]
        self.agent, self.mixer = Agent(64, self.actions), Mixer(32, 64)

    def stacked(self, by_name: dict[str, jax.Array]) -> jax.Array:
        """A dict of agents as an axis."""
        return jnp.stack([by_name[name] for name in self.names], axis=1)

    def inputs(self, obs: jax.Array) -> jax.Array:
        """Observation and identity (..., N, L)."""
        ids = jnp.broadcast_to(jnp.eye(len(self.names)), (*obs.shape[:-1], len(self.names)))
        return jnp.concatenate([obs, ids], axis=-1)

    def play(self, params: Any, steps: int) -> Callable[[Any], Any]:
        """A compiled run of `steps` steps of all environments: random without networks, epsilon-greedy with them."""

        def step(carry: Any, _: None) -> tuple[Any, Any]:
            state, obs, hidden, key = carry
            key, chance, stepping = jax.random.split(key, 3)
            available = self.stacked(jax.vmap(self.env.get_avail_actions)(state))  # (E, N, A)
            drawn = jax.random.uniform(chance, available.shape)
            if params is not None:
                rows = self.inputs(obs).reshape(1, -1, obs.shape[-1] + len(self.names))
                hidden, values = self.agent.apply(params["agent"], hidden, rows)
                explore = jax.random.uniform(chance, (*available.shape[:2], 1)) < 0.05
                drawn = jnp.where(explore, drawn, values.reshape(available.shape))
            chosen = jnp.where(available > 0, drawn, -jnp.inf).argmax(-1)  # (E, N)
            by_name = {name: chosen[:, k] for k, name in enumerate(self.names)}
            keys = jax.random.split(stepping, self.count)
            seen, state, reward, done, _ = jax.vmap(self.env.step)(keys, state, by_name)
            kept = (obs, chosen, available, reward[self.names[0]], done["__all__"], seen["world_state"])
            return (state, self.stacked(seen), hidden, key), kept

        return jax.jit(lambda carry: jax.lax.scan(step, carry, None, steps))

    def start(self) -> Any:
        """Where a run begins."""
        return self.state, self.obs, jnp.zeros((self.count * len(self.names), 64)), self.key

    def update(self, episodes: int, steps: int) -> Callable[[], Any]:
        """A compiled gradient step on random episodes of these sizes."""
        n, keys = len(self.names), jax.random.split(self.key, 6)
        obs = jax.random.uniform(keys[0], (steps + 1, episodes, n, self.obs.shape[-1]))
        state = jax.random.uniform(keys[1], (steps + 1, episodes, self.state_size))
        actions = jax.random.randint(keys[2], (steps, episodes, n), 0, self.actions)
        reward, done = jax.random.uniform(keys[3], (steps, episodes)), jnp.zeros((steps, episodes))
        rows = self.inputs(obs).reshape(steps + 1, episodes * n, -1)
        zeros = jnp.zeros((episodes * n, 64))
        params = {
            "agent": self.agent.init(keys[4], zeros, rows),
            "mixer": self.mixer.init(keys[5], jnp.zeros((1, n)), state[0, :1]),
        }
        optimiser = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(1e-3))

        def values_of(params: Any) -> jax.Array:
            return self.agent.apply(params["agent"], zeros, rows)[1].reshape(steps + 1, episodes, n, -1)

        def pick(values: jax.Array, chosen: jax.Array) -> jax.Array:
            return jnp.take_along_axis(values, chosen[..., None], -1)[..., 0]

        def loss_of(params: Any, target: Any) -> jax.Array:
            values = values_of(params)
            greedy = jax.lax.stop_gradient(values).argmax(-1)
            worth = self.mixer.apply(target["mixer"], pick(values_of(target), greedy), state)[1:]

            def back(later: jax.Array, now: Any) -> tuple[jax.Array, jax.Array]:
                r, d, w = now
                later = r + GAMMA * (1 - d) * ((1 - LAMBDA) * w + LAMBDA * later)
                return later, later

            _, goal = jax.lax.scan(back, worth[-1], (reward, done, worth), reverse=True)
            team = self.mixer.apply(params["mixer"], pick(values[:-1], actions), state[:-1])
            return ((team - jax.lax.stop_gradient(goal)) ** 2).mean()

        @jax.jit
        def step(params: Any, target: Any, kept: Any) -> Any:
            gradient = jax.grad(loss_of)(params, target)
            changes, kept = optimiser.update(gradient, kept)
            return optax.apply_updates(params, changes), kept

        self.params, kept = params, optimiser.init(params)
        return lambda: step(params, params, kept)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("map")
    parser.add_argument("--environments", type=int, nargs="+", default=[64])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--learner", action="store_true", help="QMIX with 8 environments, 128 episodes of 43 steps, too"
    )
    options = parser.parse_args()
    device = jax.devices()[0].device_kind  # of the processor "cpu"
    found: dict[str, Any] = {"jax": jax.__version__, "device": device, "simulator": {}}
    steps, repeats = (20, 1) if options.quick else (200, 3)
    for count in options.environments:
        bench = Bench(options.map, count)
        play, start = bench.play(None, steps), bench.start()
        compile_seconds, took = seconds(lambda play=play, start=start: play(start), repeats)
        found["simulator"][str(count)] = {"steps_per_second": count * steps / took, "compile_seconds": compile_seconds}
    if options.learner:
        bench = Bench(options.map, 8)
        update = bench.update(episodes=128, steps=43)
        compiling, updating = seconds(update, 2 if options.quick else 9)
        play, start = bench.play(bench.params, 43), bench.start()
        compiling_play, playing = seconds(lambda: play(start), 2 if options.quick else 9)
        found["learner"] = {
            "update_seconds": updating,
            "collect_seconds": playing,
            "compile_seconds": compiling + compiling_play,
            "sizes": f"{len(bench.names)} agents, obs {bench.obs.shape[-1]}, state {bench.state_size}",
        }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
