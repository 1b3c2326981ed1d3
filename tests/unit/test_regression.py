"""The written-out gradient of the two-layer regression against automatic differentiation."""

import torch
from torch.nn import functional as F

from ptde_core.base.threads import Threads
from ptde_core.learning.regression import TwoLayerRegression
from ptde_core.nets.student_network import StudentNetwork


def test_equal_to_automatic_differentiation() -> None:
    torch.manual_seed(0)
    network = StudentNetwork(7, 5, 3).double()
    x, y = torch.randn(2, 11, 7, dtype=torch.float64), torch.randn(2, 11, 3, dtype=torch.float64)
    regression = TwoLayerRegression(list(network.parameters()), rows=11, threads=Threads())
    for k in range(2):  # the second batch must not see the first one's gradients
        loss = F.mse_loss(network(x[k])[0], y[k])
        wanted = torch.autograd.grad(loss, list(network.parameters()))
        regression.step(x[k], y[k])
        assert abs(regression.loss() - float(loss.detach())) < 1e-12
        for parameter, gradient in zip(network.parameters(), wanted, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-10, atol=1e-12)


def test_threads_share_the_rows_in_the_kernel() -> None:
    """300 rows on three threads: shares of 100; and a batch smaller than a block on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    threads = Threads()
    torch.set_num_threads(before)
    for rows in (300, 5):
        torch.manual_seed(rows)
        network, x, y = StudentNetwork(7, 20, 3), torch.randn(rows, 7), torch.randn(rows, 3)
        wanted = torch.autograd.grad(F.mse_loss(network(x)[0], y), list(network.parameters()))
        regression = TwoLayerRegression(list(network.parameters()), rows, threads)
        for _ in range(2):
            regression.step(x, y)
        for parameter, gradient in zip(network.parameters(), wanted, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_by_hand() -> None:
    """h = relu(2 * 3 - 1) = 5, z = 4 * 5 + 1 = 21, y = 20: loss 1; dz = 2, dw2 = 10, db2 = 2, dw1 = 8 * 3, db1 = 8."""
    network = StudentNetwork(1, 1, 1)
    values = (2.0, -1.0, 4.0, 1.0)
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter.fill_(value)
    regression = TwoLayerRegression(list(network.parameters()), rows=1, threads=Threads())
    regression.step(torch.tensor([[3.0]]), torch.tensor([[20.0]]))
    assert regression.loss() == 1.0
    assert [p.grad.item() for p in network.parameters() if p.grad is not None] == [24.0, 8.0, 10.0, 2.0]
