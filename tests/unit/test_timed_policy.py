"""Time per step of a policy: of its steps, not of what its first one loads."""

import time
from typing import Any

import torch
from torch import Tensor

from ptde_core.policies.policy import Acted, TimedPolicy


class Loading:
    """A policy whose first step takes long."""

    reads_state, noise_size = False, 0

    def __init__(self) -> None:
        self.steps = 0

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> Acted:
        self.steps += 1
        if self.steps == 1:
            time.sleep(0.2)
        return Acted(local, memory, None)


def test_the_first_of_several_steps_is_left_out() -> None:
    timed = TimedPolicy(Loading())  # type: ignore[arg-type]  # no network
    timed.step(torch.zeros(1, 1, 1), None, None, None)
    assert (timed.calls, timed.seconds >= 0.2) == (1, True), "where there is but one, it counts"
    for _ in range(3):
        timed.step(torch.zeros(1, 1, 1), None, None, None)
    assert timed.calls == 3
    assert timed.seconds < 0.2
