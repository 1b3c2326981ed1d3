"""A policy as a function of named arrays, for runtimes without ptde: its memory goes in and comes out too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ptde_core.algorithms.from_checkpoint import Trained
from ptde_core.base.errors import PtdeError
from ptde_core.base.provenance import code
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.ctds_views import OneViewAgents
from ptde_core.policies.policy import Acted, ZChoice
from ptde_core.policies.student import Student

VERSION = 1  # of the arrays' names and meanings
BATCH, AGENTS = "batch", "agents"  # axes of any length
NEXT = "next_"


@dataclass(frozen=True)
class Slot:
    """One array that goes in or comes out.

    Args:
        name: of the array.
        shape: a number for each axis, or a word where any length will do.
        dtype: float32 or int64.
        meaning: in a few words.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    meaning: str

    def example(self, sizes: Mapping[str, int]) -> Tensor:
        """Zeros of that shape, with these lengths of the axes that are words."""
        shape = [sizes[one] if isinstance(one, str) else one for one in self.shape]
        return torch.zeros(shape, dtype=getattr(torch, self.dtype))


class PortablePolicy(nn.Module):
    """One step of a policy.

    `inputs` and `outputs` describe the arrays in their order. At an episode's first step the memory is zeros; after it,
    the input `memory` is the output `next_memory` of the step before. COPA's coach needs all agents in each call; every
    other policy takes any number of them, so that each robot can run its own.

    Args:
        trained: out of a checkpoint.
        z: of a teacher that draws its z: its mean, or sampled, with standard normals as an input `noise`.

    Raises:
        PtdeError: z is to be sampled, and the policy draws none.
    """

    def __init__(self, trained: Trained, z: ZChoice = "mean") -> None:
        super().__init__()
        policy, spec = trained.policy, trained.spec
        if z == "sampled" and policy.noise_size == 0:
            raise PtdeError("this policy draws no z, so that none can be sampled", "leave out --z sampled")
        self.policy, self._trained, self._z = policy, trained, z
        # A policy that reads one of two views is given that one alone: elsewhere the other may not be known.
        self.sees = policy.columns if isinstance(policy, OneViewAgents) else slice(None)
        self._reads_state, self._sampled = policy.reads_state, z == "sampled"
        agents: int | str = spec.n_agents if isinstance(policy, CoachedTeacher) else AGENTS
        obs = len(spec.obs_names[self.sees])
        own = [
            Slot("observation", (BATCH, agents, obs), "float32", "what each agent sees"),
            Slot(
                "last_action", (BATCH, agents, spec.n_actions), "float32", "one-hot; zeros at an episode's first step"
            ),
            Slot("identity", (BATCH, agents, spec.n_agents), "float32", "one-hot: which agent of the team it is"),
        ]
        if self._reads_state:
            own.append(Slot("state", (BATCH, spec.state_size), "float32", "the global state"))
        if self._sampled:
            own.append(
                Slot("noise", (BATCH, agents, policy.noise_size), "float32", "standard normals, drawn at each step")
            )
        kept, self._as_memory = self._memory_slots(own, agents)
        head = trained.algorithm.head
        meaning = "action values" if head == "values" else "logits of the policy over actions"
        self.inputs = [*own, *kept]
        self.outputs = [
            Slot(head, (BATCH, agents, spec.n_actions), "float32", f"{meaning}; of those that are available, the best"),
            *(Slot(NEXT + one.name, one.shape, one.dtype, "goes in at the next step") for one in kept),
        ]

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """What `outputs` names, from what `inputs` names, in their orders."""
        n_kept = len(self.outputs) - 1
        own, kept = arrays[: len(arrays) - n_kept], arrays[len(arrays) - n_kept :]
        acted = self._step(own, self._as_memory(*kept))
        return acted.values, *_parts(acted.memory)

    def _step(self, own: Sequence[Tensor], memory: Any) -> Acted:
        """One step of the policy, from the memory and from the other arrays in their order."""
        local = torch.cat(list(own[:3]), dim=-1)  # (E, N, L)
        rest = list(own[3:])
        state = rest.pop(0) if self._reads_state else None
        noise = rest.pop(0) if self._sampled else None
        if isinstance(self.policy, OneViewAgents):
            return self.policy.step_on_own_view(local, memory, state, noise)
        return self.policy.step(local, memory, state, noise)

    @torch.no_grad()
    def _memory_slots(self, own: Sequence[Slot], agents: int | str) -> tuple[list[Slot], Callable[..., Any]]:
        """The arrays of a memory, and what makes one of them, as a first step shows them."""
        sizes = {BATCH: 1, AGENTS: 1}
        memory = self._step([one.example(sizes) for one in own], None).memory
        single = isinstance(memory, Tensor)
        names = ["memory"] if single else [f"memory_{name}" for name in memory._fields]
        slots = []
        for name, part in zip(names, _parts(memory), strict=True):
            rest = (agents, part.shape[-1]) if part.dim() == 3 else tuple(part.shape[1:])
            dtype = str(part.dtype).removeprefix("torch.")
            slots.append(Slot(name, (BATCH, *rest), dtype, f"{NEXT}{name} of the step before; zeros at the first"))
        return slots, (lambda one: one) if single else type(memory)

    def about(self) -> dict[str, Any]:
        """What someone has to know who was given the policy alone, as plain values."""
        trained, spec = self._trained, self._trained.spec
        drawn = "none" if not self.policy.noise_size else self._z
        return {
            "version": VERSION,
            "code": code(),
            "alg": trained.settings.alg,
            "z": "student" if isinstance(self.policy, Student) else drawn,
            "teacher_id": trained.teacher_id,
            "env_steps": trained.env_steps,
            "backend": spec.backend,
            "backend_version": spec.version,
            "map": spec.map,
            "obs_names": list(spec.obs_names[self.sees]),
            "state_names": list(spec.state_names) if self._reads_state else [],
            "action_names": list(spec.action_names),
            "inputs": [asdict(one) for one in self.inputs],
            "outputs": [asdict(one) for one in self.outputs],
        }


def _parts(memory: Any) -> tuple[Tensor, ...]:
    return (memory,) if isinstance(memory, Tensor) else tuple(memory)
