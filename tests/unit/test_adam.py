"""Our Adam against torch's: equal weights and equal state, bit for bit, and either takes the other's state."""

import subprocess
import sys

import torch
from torch import Tensor

from ptde_core.learning.adam import Adam


def parameters() -> list[Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(3, 5, requires_grad=True),
        torch.randn(7, requires_grad=True),
        torch.zeros(2, requires_grad=True),
    ]


def walk(optimiser: Adam | torch.optim.Adam, own: list[Tensor], steps: range) -> None:
    """Steps along gradients that depend on the number of the step; the last parameter has none."""
    for step in steps:
        torch.manual_seed(step)
        for parameter in own[:2]:
            parameter.grad = torch.randn_like(parameter)
        optimiser.step()


def test_equal_to_torchs_and_each_goes_on_with_the_others_state() -> None:
    ours, theirs = parameters(), parameters()
    one, other = Adam(ours, lr=1e-2, eps=1e-5), torch.optim.Adam(theirs, lr=1e-2, eps=1e-5, fused=True)
    walk(one, ours, range(5))
    walk(other, theirs, range(5))
    resumed, taken_over = Adam(ours, lr=1e-2, eps=1e-5), torch.optim.Adam(theirs, lr=1e-2, eps=1e-5, fused=True)
    resumed.load_state_dict(other.state_dict())
    taken_over.load_state_dict(one.state_dict())
    walk(resumed, ours, range(5, 9))
    walk(taken_over, theirs, range(5, 9))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert torch.equal(ours[2], torch.zeros(2))


def test_torchs_compiler_is_not_imported() -> None:
    code = (
        "import sys, torch; from ptde_core.learning.adam import Adam; p = torch.ones(1, requires_grad=True); "
        "p.grad = torch.ones(1); Adam([p], lr=1.0).step(); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
