"""Adam (Kingma and Ba, 2015), all parameters in one call: torch's fused step without torch's optimiser around it.

Torch imports its compiler when the first of its optimisers is made, which takes seconds, though nothing is compiled.
The state is laid out as that of `torch.optim.Adam(fused=True)`, to which this is equal bit for bit (tested).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

BETAS = (0.9, 0.999)


class Adam:
    """Steps along the parameters' `grad`; a parameter without one is left as it is.

    Args:
        parameters: what is optimised.
        lr: step size, which may be set anew before any step.
        eps: what is added to the root of the second moment.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, eps: float = 1e-8) -> None:
        self._parameters, self.lr, self._eps = list(parameters), lr, eps
        self._state: dict[int, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """One step of every parameter that has a gradient."""
        gradients = {k: parameter.grad for k, parameter in enumerate(self._parameters) if parameter.grad is not None}
        if not gradients:
            return
        numbers = list(gradients)
        for k in numbers:
            self._state.setdefault(k, _fresh(self._parameters[k]))
        firsts, seconds, steps = ([self._state[k][name] for k in numbers] for name in ("exp_avg", "exp_avg_sq", "step"))
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            [self._parameters[k] for k in numbers],
            list(gradients.values()),
            firsts,
            seconds,
            [],
            steps,
            lr=self.lr,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=0.0,
            eps=self._eps,
            amsgrad=False,
            maximize=False,
        )
        # The fused step does not say that it wrote to the parameters, and play keeps what it made of them until then.
        torch.autograd.graph.increment_version([self._parameters[k] for k in numbers])

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Moments and settings, as torch's."""
        group = {
            "lr": self.lr,
            "betas": BETAS,
            "eps": self._eps,
            "weight_decay": 0,
            "amsgrad": False,
            "maximize": False,
            "foreach": None,
            "capturable": False,
            "differentiable": False,
            "fused": True,
            "decoupled_weight_decay": False,
            "params": list(range(len(self._parameters))),
        }
        return {"state": {k: dict(moments) for k, moments in self._state.items()}, "param_groups": [group]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state_dict`, from whatever device; the step size stays this optimiser's own.

        Raises:
            ValueError: it is that of other parameters.
        """
        for k, moments in state["state"].items():
            fresh = _fresh(self._parameters[int(k)])
            if {name: (one.shape, one.dtype) for name, one in moments.items()} != {
                name: (one.shape, one.dtype) for name, one in fresh.items()
            }:
                raise ValueError(f"moments of parameter {k} that do not fit it")
        self._state = {
            int(k): {name: moment.to(self._parameters[int(k)].device, copy=True) for name, moment in moments.items()}
            for k, moments in state["state"].items()
        }


def _fresh(parameter: Tensor) -> dict[str, Tensor]:
    return {
        "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
        "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
    }
