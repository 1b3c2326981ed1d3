"""An exported npz played by NumPy alone, of every kind: what docs/how-to/export.md says in formulas, written out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


class NumpyPolicy:
    """Weights and what the file says of them."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            self.about: dict[str, Any] = json.loads(str(file["ptde"]))
            self.w = {name: file[name] for name in file.files if name != "ptde"}

    def linear(self, name: str, x: Array) -> Array:
        y = x @ self.w[f"{name}.weight"].T
        return y + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else y

    def norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def trunk(self, name: str, local: Array, hidden: Array | None) -> Array:
        if f"{name}.input_norm.weight" in self.w:  # MAPPO's
            x = relu(self.linear(f"{name}.encode", self.norm(f"{name}.input_norm", local)))
            x = relu(self.linear(f"{name}.second", self.norm(f"{name}.encode_norm", x)))
            x = self.norm(f"{name}.second_norm", x)
        else:
            x = relu(self.linear(f"{name}.encode", local))
        size = self.w[f"{name}.memory.weight_hh_l0"].shape[1]
        h = np.zeros((*local.shape[:2], size), np.float32) if hidden is None else hidden
        of_input = x @ self.w[f"{name}.memory.weight_ih_l0"].T + self.w[f"{name}.memory.bias_ih_l0"]
        of_hidden = h @ self.w[f"{name}.memory.weight_hh_l0"].T + self.w[f"{name}.memory.bias_hh_l0"]
        (ri, zi, ni), (rh, zh, nh) = np.split(of_input, 3, axis=-1), np.split(of_hidden, 3, axis=-1)
        new = np.tanh(ni + sigmoid(ri + rh) * nh)
        update = sigmoid(zi + zh)
        return (1 - update) * new + update * h

    def head(self, history: Array, z: Array | None) -> Array:
        if "head.norm.weight" in self.w:
            history = self.norm("head.norm", history)
        if z is None:
            return self.linear("head.values", history)
        return self.linear("head.values", np.concatenate([relu(self.linear("head.features", history)), z], axis=-1))

    def hyper(self, name: str, local: Array, state: Array) -> Array:
        """elu(s . W(a) + b(a)), the weights W of each agent's own."""
        a = relu(self.linear(f"{name}.hidden", local))
        own = self.linear(f"{name}.weights", a)  # (E, N, S*Z)
        own = own.reshape(*own.shape[:2], state.shape[-1], -1)
        g = np.einsum("es,ensz->enz", state, own) + self.linear(f"{name}.bias", local)
        return np.where(g > 0, g, np.expm1(np.minimum(g, 0)))

    def gaussian(self, g: Array) -> tuple[Array, Array]:
        def two(name: str) -> Array:
            x = self.linear(f"{name}.0", g)
            return self.linear(f"{name}.2", np.where(x > 0, x, 0.01 * x))

        floor = self.about["settings"]["variance_floor"]
        log_variance = two("information.gaussian.log_variance")
        return two("information.gaussian.mean"), np.sqrt(np.maximum(np.exp(log_variance), floor))

    def light(self, local: Array, state: Array) -> tuple[Array, Array]:
        """Mean and deviation of agents that mix a few layers of the state's features."""
        parts = self.linear("information.weights", relu(self.linear("information.encode", state)))
        factors = self.linear("information.mix", relu(self.linear("information.hidden", local)))  # (E, N, r)
        parts = parts.reshape(len(parts), factors.shape[-1] + 1, -1)  # (E, r+1, w)
        x = parts[:, :1] + np.einsum("enr,erw->enw", factors, parts[:, 1:])
        x = np.where(x > 0, x, 0.01 * x)
        variance = np.exp(self.linear("information.log_variance", x))
        floor = self.about["settings"]["variance_floor"]
        return self.linear("information.mean", x), np.sqrt(np.maximum(variance, floor))

    def coach(self, state: Array) -> tuple[Array, Array]:
        names, heads = self.about["state_names"], self.about["settings"]["coach_heads"]
        units: dict[str, list[int]] = {}
        for k, name in enumerate(names):
            units.setdefault(name.partition(".")[0], []).append(k)
        allies = [units[name] for name in sorted(units) if name.startswith("ally")]
        enemies = [units[name] for name in sorted(units) if name.startswith("enemy")]
        own = x = relu(self.linear("coach.encode_ally", state[:, allies]))
        if enemies:
            x = np.concatenate([own, relu(self.linear("coach.encode_enemy", state[:, enemies]))], axis=1)
        key, value = np.split(self.linear("coach.key_and_value", x), 2, axis=-1)
        query, key, value = (
            t.reshape(*t.shape[:2], heads, -1).transpose(0, 2, 1, 3)
            for t in (self.linear("coach.query", own), key, value)
        )
        attended = softmax(query @ key.transpose(0, 1, 3, 2) / np.sqrt(query.shape[-1])) @ value
        hidden = own + self.linear("coach.joined", attended.transpose(0, 2, 1, 3).reshape(own.shape))
        sigma = np.exp(0.5 * np.clip(self.linear("coach.log_variance", hidden), -10, 0))
        return self.linear("coach.mean", hidden), sigma

    def step(self, arrays: dict[str, Array], memory: Any) -> tuple[Array, Any]:
        """Values and the new memory, a tuple; None at the first step."""
        local = np.concatenate([arrays[name] for name in ("observation", "last_action", "identity")], axis=-1)
        hidden, t, kept = memory or (None, 0, None)
        state, noise = arrays.get("state"), arrays.get("noise", np.float32(0))
        history = self.trunk("trunk", local, hidden)
        z: Array | None = None
        match self.about["settings"]["global_info"], self.about["kind"]:
            case _, "student" if "network.layers.0.weight" in self.w:
                z = self.linear("network.layers.2", relu(self.linear("network.layers.0", local)))
            case _, "student" if "network.information.weight" in self.w:
                kept = self.trunk("network.history", local, kept)
                z = self.linear("network.information", kept)
            case "agent-specific", _:
                light = "information.mix.weight" in self.w
                mean, sigma = (
                    self.light(local, state) if light else self.gaussian(self.hyper("information.hyper", local, state))
                )
                z = mean + sigma * noise
            case "unified", _:
                mean, sigma = (x[:, None] for x in self.gaussian(self.linear("information.encode", state)))
                z = np.broadcast_to(mean + sigma * noise, (*local.shape[:2], mean.shape[-1]))
            case "commander", _:
                kept = state if t % self.about["settings"]["info_every"] == 0 else kept
                z = self.hyper("commander.hyper", local, kept)
            case "coach", _:
                if t % self.about["settings"]["info_every"] == 0:
                    mean, sigma = self.coach(state)
                    kept = mean + sigma * noise
                z = kept
        return self.head(history, z), (history, t + 1, kept)
