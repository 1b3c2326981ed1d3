"""Gradients by several threads: nothing of torch's that a thread makes while another waits for it."""

from threading import Event, get_ident

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from ptde_core.base.threads import Threads, add_gradients


def test_threads_take_about_as_much_each() -> None:
    """Two of them: 7 goes to the one, 5 and 4 to the other, 3 to the one, 1 to the other; 10 each."""
    threads = Threads()
    threads.count = 2
    assert [own.tolist() for own in threads.cut([4, 5, 1, 7, 3])] == [[3, 4], [0, 1, 2]]
    assert [own.tolist() for own in threads.cut([3])] == [[0]]


def test_a_thread_can_take_several_shares_in_turn() -> None:
    threads = Threads()
    threads.count = 2
    assert [own.tolist() for own in threads.cut([4, 5, 1, 7, 3], turns=2)] == [[3], [1], [0], [2, 4]]
    busy: dict[int, set[int]] = {}

    def work(part: int) -> int:
        busy.setdefault(get_ident(), set()).add(part)
        return part * part

    assert threads.map(work, range(5)) == [0, 1, 4, 9, 16]
    assert busy[get_ident()] == {0, 2, 4}
    assert threads.map(work, [7]) == [49]


def test_parameters_keep_the_nodes_where_their_gradients_end() -> None:
    """Made anew in a thread, such a node can stop two threads for good: each waits for what the other holds."""
    parameter, first_has_ended, kept = torch.ones(2, requires_grad=True), Event(), []

    def loss_of(share: int) -> tuple[Tensor, dict[str, Tensor]]:
        if share == 0:
            get_gradient_edge(parameter).node.metadata["seen"] = True
            first_has_ended.set()
        else:
            assert first_has_ended.wait(timeout=60)
            kept.append("seen" in get_gradient_edge(parameter).node.metadata)
        return (parameter * (share + 1)).sum(), {"loss": torch.zeros(())}

    add_gradients([0, 1], loss_of, [parameter], Threads())
    assert kept == [True]
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [3.0, 3.0]
