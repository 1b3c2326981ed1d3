"""What files must hold to be read at all, and bytes that are broken on purpose, for tests of their readers."""

import torch

SPEC: dict[str, object] = {
    "backend": "game",
    "version": "1",
    "map": "personal-signal",
    "n_agents": 2,
    "n_actions": 3,
    "obs_size": 4,
    "state_size": 5,
    "episode_limit": 9,
    "obs_names": [f"o{k}" for k in range(4)],
    "state_names": [f"s{k}" for k in range(5)],
    "action_names": [f"a{k}" for k in range(3)],
    "can_be_won": True,
}
SETTINGS = {
    "alg": "qmix",
    "env": "game",
    "map": "personal-signal",
    "global_info": "agent-specific",
    "seed": 1,
    "steps": 10,
}
TEACHER = {
    "settings": SETTINGS,
    "env": SPEC,
    "networks": {"w": torch.eye(2)},
    "teacher_id": "0123456789abcdef",
    "counters": {"env_steps": 10, "episodes": 1, "updates": 0},
    "kept": "last",
}
"""The content of a teacher's checkpoint; its networks fit nothing."""
