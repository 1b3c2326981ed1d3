"""Noise by place: the same in whole and in part and on every device, and normally distributed."""

import pytest
import torch

from ptde_core.learning.noise import in_torch, standard_normals

ROWS = torch.arange(4000)


@pytest.mark.parametrize("width", [1, 7, 64])
def test_kernel_and_torch_draw_the_same(width: int) -> None:
    rows = torch.tensor([0, 5, 4, 2**40])
    torch.testing.assert_close(
        standard_normals(2**64 - 3, rows, (width,)), in_torch(2**64 - 3, rows, width), rtol=1e-5, atol=1e-5
    )


def test_a_part_is_what_it_is_in_the_whole() -> None:
    whole, part = (standard_normals(1, rows, (3, 8)) for rows in (ROWS, ROWS[7::5]))
    assert torch.equal(whole[7::5], part)


def test_seeds_and_rows_draw_differently() -> None:
    drawn = torch.cat([standard_normals(seed, ROWS, (8,)) for seed in (1, 2)])
    assert len(drawn.flatten().unique()) > 0.99 * drawn.numel()


def test_the_numbers_are_normally_distributed() -> None:
    drawn = standard_normals(3, ROWS, (250,)).double()  # a million
    for power, moment, error in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):  # error: the variance of one's power
        assert abs(float((drawn**power).mean()) - moment) < 4 * (error / drawn.numel()) ** 0.5
    edges = torch.linspace(-3, 3, 25).double()
    share = torch.stack([(drawn < edge).double().mean() for edge in edges])
    torch.testing.assert_close(share, torch.special.ndtr(edges), rtol=0, atol=0.002)
    halves = drawn[:, :125], drawn[:, 125:]  # the two of a pair
    for one, other in (
        halves,
        (drawn[:-1], drawn[1:]),
        (drawn[:, :-1], drawn[:, 1:]),
        (halves[0].abs(), halves[1].abs()),
    ):
        together = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
        assert abs(float(together)) < 4 / one.numel() ** 0.5
