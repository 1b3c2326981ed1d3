"""Mixers: VDN's sum, QMIX's monotonicity, QPLEX's IGM and its gradients, and forward passes by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ptde_core.base.errors import PtdeError
from ptde_core.nets.mixers import DuplexMixer, Heads, MonotonicMixer, SumMixer

NONE = torch.zeros(0)  # for what a mixer does not read


def test_sum() -> None:
    assert SumMixer()(torch.tensor([[1.0, 2.0, 3.5]]), NONE, NONE, NONE).tolist() == [6.5]


@given(seed=st.integers(0, 2**20), scale=st.floats(0.01, 20.0))
def test_qmix_never_falls_when_an_agents_value_rises(seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    mixer = MonotonicMixer(n_agents=3, state_size=5, embed=4, hyper=6).double()
    values = (scale * torch.randn(20, 3, dtype=torch.float64)).requires_grad_()
    team = mixer(values, NONE, NONE, scale * torch.randn(20, 5, dtype=torch.float64))
    (slope,) = torch.autograd.grad(team.sum(), values)
    assert (slope >= 0).all()


def test_qmix_by_hand() -> None:
    """One agent, one hidden unit: w1 = |-2|, b1 = -1, w2 = |3|, b2 = 5; q = 2 gives ELU(4 - 1) * 3 + 5 = 14."""
    mixer = MonotonicMixer(n_agents=1, state_size=1, embed=1, hyper=1)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.zero_()
        mixer.first_weights[-1].bias.fill_(-2.0)
        mixer.first_bias.bias.fill_(-1.0)
        mixer.second_weights[-1].bias.fill_(3.0)
        mixer.second_bias[-1].bias.fill_(5.0)
    assert mixer(torch.tensor([[2.0]]), NONE, NONE, torch.zeros(1, 1)).tolist() == [14.0]


def over_all_joint_actions(mixer: DuplexMixer, values: Tensor, state: Tensor) -> Tensor:
    """Q_tot (A, ..., A) of one state, from the agents' values (N, A)."""
    n, a = values.shape
    joint = torch.cartesian_prod(*[torch.arange(a)] * n).view(-1, n)  # (A^N, N)
    taken = values[torch.arange(n), joint]
    best = values.amax(dim=-1).expand_as(taken)
    team: Tensor = mixer(taken, best, joint, state.expand(len(joint), -1))
    return team.view([a] * n)


@settings(max_examples=50, deadline=None)  # many small layers, on cores that others may use
@given(
    seed=st.integers(0, 2**20),
    scale=st.floats(0.01, 20.0),
    n=st.integers(1, 3),
    a=st.integers(1, 4),
    k=st.integers(1, 3),
)
def test_qplex_greedy_agents_are_a_greedy_team(seed: int, scale: float, n: int, a: int, k: int) -> None:
    torch.manual_seed(seed)
    mixer = DuplexMixer(n_agents=n, n_actions=a, state_size=3, hyper=6, heads=4, layers=k).double()
    values = scale * torch.randn(n, a, dtype=torch.float64)
    team = over_all_joint_actions(mixer, values, scale * torch.randn(1, 3, dtype=torch.float64))
    greedy = tuple(values.argmax(dim=-1).tolist())
    assert team[greedy] == team.max()
    best = team[greedy].clone()
    team[greedy] = -torch.inf
    assert (team < best).all(), "no other joint action is as good"


def test_qplex_by_hand_with_heads_of_one_layer() -> None:
    """w = |-2|, V = 3, lambda = |-8| * sigmoid(0) * sigmoid(0) = 2; q = 1 of at best 4 gives
    2 + 3 + (2 - 1) * 2 * (1 - 4) = -1; the best action gives 8 + 3 = 11, whatever lambda is.
    """
    mixer = DuplexMixer(n_agents=1, n_actions=2, state_size=1, hyper=1, heads=1, layers=1)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.zero_()
        mixer.weights[-1].bias.fill_(-2.0)
        mixer.offsets[-1].bias.fill_(3.0)
        mixer.keys[-1].bias.fill_(-8.0)
    taken, best, actions = torch.tensor([[1.0], [4.0]]), torch.tensor([[4.0], [4.0]]), torch.tensor([[0], [1]])
    assert mixer(taken, best, actions, torch.zeros(2, 1)).tolist() == [-1.0, 11.0]


def test_qplex_by_hand_with_heads_of_two_layers() -> None:
    """Two heads, one agent, two actions, hidden layers of one number; state s = 2; w = 1, V = 0.

    Head 0: hidden ReLU(3s) = 6, key |-0.5 * 6| = 3; attended and answered sigmoid(0) = 1/2 each: 3/4 for both actions.
    Head 1: hidden ReLU(-3s) = 0, key its bias |4|; attended 1/2; answered: hidden ReLU(u_1) = 1 for action 1, else 0,
    then sigmoid(ln 3 * hidden) = 3/4 or 1/2: 4 * 1/2 * 3/4 = 1.5 or 4 * 1/2 * 1/2 = 1.
    Lambda is 1.75 for action 0 and 2.25 for action 1. With q = 1 of at best 3, Q_tot = 1 + (lambda - 1) (1 - 3).
    """
    mixer = DuplexMixer(n_agents=1, n_actions=2, state_size=1, hyper=1, heads=2, layers=2)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.zero_()
        mixer.weights[-1].bias.fill_(1.0)
        hidden, outputs = mixer.keys
        hidden.weight.copy_(torch.tensor([[3.0], [-3.0]]))  # a row for each head
        outputs.weight[0].fill_(-0.5)
        outputs.weight[1].fill_(100.0)
        outputs.bias[1].fill_(4.0)
        hidden, outputs = mixer.answered
        hidden.weight[1].copy_(torch.tensor([0.0, 0.0, 1.0]))  # of state, action 0, action 1
        outputs.weight[1].fill_(math.log(3))
    state, actions = torch.full((2, 1), 2.0), torch.tensor([[0], [1]])
    torch.testing.assert_close(mixer.importance(actions, state), torch.tensor([[1.75], [2.25]]))
    team = mixer(torch.ones(2, 1), torch.full((2, 1), 3.0), actions, state)
    torch.testing.assert_close(team, torch.tensor([-0.5, -1.5]))


@pytest.mark.parametrize(("layers", "parameters"), [(1, 8_358), (2, 53_026), (3, 102_946)])
def test_qplex_has_as_many_parameters_on_3m_as_the_published_mixer(layers: int, parameters: int) -> None:
    """3 agents, 9 actions, a state of 48, widths of 64, 4 heads: per head 2 layers make 3,201 + 3,331 + 5,059.

    w and V have 3,331 each; a third layer adds 64 * 64 + 64 to each of the 12 networks.
    """
    assert 2 * 3_331 + 4 * (3_201 + 3_331 + 5_059) == 53_026
    assert 53_026 + 12 * (64 * 64 + 64) == 102_946
    mixer = DuplexMixer(n_agents=3, n_actions=9, state_size=48, hyper=64, heads=4, layers=layers)
    assert sum(parameter.numel() for parameter in mixer.parameters()) == parameters


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_heads_are_networks_of_their_own(layers: int) -> None:
    """Each equals a plain network with its own part of the first layer, and learns from its own output alone."""
    torch.manual_seed(0)
    heads, x = Heads(inputs=5, hidden=6, outputs=2, heads=3, layers=layers), torch.randn(7, 5)
    found = heads(x)  # (7, heads, 2)
    assert found.shape == (7, 3, 2)
    first, *others = heads
    width = 2 if layers == 1 else 6
    for k in range(3):
        own = slice(k * width, (k + 1) * width)
        y = x @ first.weight[own].t() + first.bias[own]
        for layer in others:
            y = y.relu() @ layer.weight[k] + layer.bias[k]
        torch.testing.assert_close(found[:, k], y)
    gradients = torch.autograd.grad(found[:, 1].sum(), list(heads.parameters()))
    of_first, of_first_bias, *of_others = gradients
    for gradient in (of_first.view(3, -1), of_first_bias.view(3, -1), *(g.view(3, -1) for g in of_others)):
        assert gradient.abs().sum(dim=1).gt(0).tolist() == [False, True, False]


def test_weights_of_heads_that_shared_their_hidden_layers_are_refused() -> None:
    """As trainings with more than one layer kept them before: one hidden layer, then one row for each head's output."""
    mixer = DuplexMixer(n_agents=2, n_actions=3, state_size=4, hyper=6, heads=4, layers=2)
    held = mixer.state_dict()
    earlier = {key: value for key, value in held.items() if not key.startswith("keys.")} | {
        "keys.0.weight": torch.zeros(6, 4),
        "keys.0.bias": torch.zeros(6),
        "keys.2.weight": torch.zeros(4, 6),
        "keys.2.bias": torch.zeros(4),
    }
    with pytest.raises(PtdeError, match=r"heads that share their hidden layers.*train anew"):
        mixer.load_state_dict(earlier)
    mixer.load_state_dict(held)


def test_qplex_agents_learn_from_the_sum_alone() -> None:
    """No gradient passes through the advantages: the slope of Q_tot in each agent's value is its weight."""
    torch.manual_seed(0)
    mixer = DuplexMixer(n_agents=3, n_actions=4, state_size=5, hyper=6, heads=4, layers=1)
    taken, state = torch.randn(7, 3, requires_grad=True), torch.randn(7, 5)
    best, actions = taken.detach() + torch.rand(7, 3), torch.randint(4, (7, 3))
    (slope,) = torch.autograd.grad(mixer(taken, best, actions, state).sum(), taken)
    torch.testing.assert_close(slope, mixer.weights(state).abs())


def test_qplex_can_show_what_a_monotonic_mixer_cannot() -> None:
    """The importance of an agent's advantage depends on what the others do, so its action can be good or bad."""
    torch.manual_seed(3)
    mixer = DuplexMixer(n_agents=2, n_actions=2, state_size=1, hyper=4, heads=2, layers=1)
    with torch.no_grad():
        mixer.answered[0].weight.mul_(20.0)  # fresh heads hardly tell joint actions apart
    team = over_all_joint_actions(mixer, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.zeros(1, 1))
    loss_beside_the_best, loss_beside_the_other = team[0, 0] - team[1, 0], team[0, 1] - team[1, 1]
    assert (loss_beside_the_best - loss_beside_the_other).abs() > 0.01, "a sum would make them equal"


def test_values_of_another_number_of_states_are_refused() -> None:
    values, actions, state = torch.ones(4, 2), torch.zeros(4, 2, dtype=torch.int64), torch.ones(1, 3)
    for mixer in (MonotonicMixer(2, 3, 4, 4), DuplexMixer(2, 2, 3, 4, 1, 1)):
        with pytest.raises(AssertionError, match="each"):
            mixer(values, values, actions, state)
