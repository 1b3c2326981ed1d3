"""Each way to distill: the gradients it takes, what it learns from, which weights it keeps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.base.events import Event, Progress
from ptde_core.base.seeding import episode_seeds, generator
from ptde_core.base.threads import Threads, one_thread
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.learning.adam import Adam
from ptde_core.nets.network_settings import NetworkSettings, StudentSettings
from ptde_core.pipeline import student_fit
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.dagger import episodes_file
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.student_dataset import Examples, Objective, batches_of, context_of
from ptde_core.policies.policy import Exploration
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.episode_file import read_about, read_local_rows
from ptde_core.storage.run_folder import RunFolder

LENGTHS = [3, 2, 4]


@pytest.fixture(scope="module")
def data(trained_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collect(trained_run.teacher, CollectSettings(episodes=12), tmp_path_factory.mktemp("data") / "e.h5")


def fresh(settings: StudentSettings) -> Student:
    torch.manual_seed(0)
    teacher = Teacher(PersonalSignalGame.spec, NetworkSettings(info_size=6, hidden_size=8))
    teacher.requires_grad_(False)
    return Student(teacher, settings)


def examples() -> Examples:
    torch.manual_seed(1)
    r, n = sum(LENGTHS), 2
    size = fresh(StudentSettings()).trunk.encode.in_features
    return Examples(
        local=torch.randn(r, n, size),
        mean=torch.randn(r, n, 6),
        sigma=torch.rand(r, n, 6),
        available=torch.rand(r, n, 3) < 0.7,
        length=torch.tensor(LENGTHS),
    )


@pytest.fixture(params=[1, 2, 5])
def threads(request: pytest.FixtureRequest) -> Iterator[Threads]:
    """That share the rows or the three episodes of a batch."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield Threads()
    torch.set_num_threads(before)


@pytest.mark.parametrize("student", ["two-layer", "recurrent"])
@pytest.mark.parametrize("loss", ["z", "values"])
@pytest.mark.parametrize("target", ["mean", "sampled"])
@pytest.mark.parametrize("head", ["values", "logits"])
def test_gradients_are_those_of_the_loss_on_the_batch(
    student: Any, loss: Any, target: Any, head: Any, threads: Threads
) -> None:
    """All rows in one batch, so that the order does not matter; the loss is written anew, the plain way."""
    data = examples()
    settings = DistillSettings(student=student, loss=loss, target=target, hidden_size=5, batch_rows=1000, seed=3)
    policy = fresh(settings)
    batches = batches_of(data, Objective(policy, loss, head), settings, threads)
    assert batches.per_epoch == 1
    batches.begin(7)
    with one_thread():
        batches.step(0)
    ours = [parameter.grad for parameter in policy.network.parameters()]

    noise = torch.from_numpy(generator(3, "sampled z", 7).standard_normal((sum(LENGTHS) * 2, 6), dtype=np.float32))
    goal = data.mean if target == "mean" else data.mean + data.sigma * noise.view_as(data.sigma)
    predicted = policy.network.unroll(data.local, data.length)
    if loss == "z":
        expected = F.mse_loss(predicted, goal)
    else:
        history = policy.trunk.unroll(data.local, data.length)
        one, other = policy.head(history, predicted), policy.head(history, goal)  # (R, N, A)
        if head == "values":
            expected = (one - other).square()[data.available].mean()
        else:
            one, other = (x.where(data.available, -1e9).log_softmax(-1) for x in (one, other))
            expected = F.kl_div(one, other, log_target=True, reduction="sum") / (sum(LENGTHS) * 2)
    wanted = torch.autograd.grad(expected, list(policy.network.parameters()))
    for gradient, theirs in zip(ours, wanted, strict=True):
        assert gradient is not None
        torch.testing.assert_close(gradient, theirs, rtol=1e-4, atol=1e-6)
    assert batches.loss() == pytest.approx(float(expected.detach()), rel=1e-5)
    assert all(parameter.grad is None for parameter in [*policy.trunk.parameters(), *policy.head.parameters()])


@pytest.mark.parametrize(("decay", "sizes"), [("none", [8.0, 8.0, 8.0, 8.0]), ("linear", [8.0, 6.0, 4.0, 2.0])])
def test_the_step_size_falls_over_all_steps_whatever_the_rounds_of_dagger(
    decay: Any, sizes: list[float], trained_run: RunFolder, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    class Watched(Adam):
        def step(self) -> None:
            taken.append(self.lr)
            super().step()

    monkeypatch.setattr(student_fit, "Adam", Watched)
    settings = DistillSettings(
        steps=4, learning_rate=8.0, learning_rate_decay=decay, dagger_rounds=1, dagger_episodes=2, batch_rows=8
    )
    distill(trained_run.teacher, settings, data, tmp_path / "student.pt")
    assert taken == sizes


def test_a_batch_of_a_recurrent_student_is_whole_episodes() -> None:
    data = examples()
    settings = DistillSettings(student="recurrent", batch_rows=6)  # 18 rows in 3 episodes: one episode at a time
    policy = fresh(settings)
    batches = batches_of(data, Objective(policy, "z", "values"), settings, Threads())
    assert batches.per_epoch == 3
    batches.begin(0)
    losses = []
    for k in range(3):
        batches.step(k)
        losses.append(batches.loss())
    with torch.no_grad():
        each = (policy.network.unroll(data.local, data.length) - data.mean).square().split(LENGTHS)
    assert sorted(losses) == pytest.approx(sorted(float(one.mean()) for one in each), rel=1e-5)


def test_sampled_targets_are_new_each_epoch_and_right_on_average() -> None:
    data = examples()
    settings = DistillSettings(target="sampled", loss="values", batch_rows=1000)
    batches: Any = batches_of(data, Objective(fresh(settings), "values", "values"), settings, Threads())
    drawn = []
    for epoch in range(2000):
        batches.begin(epoch)
        drawn.append(batches._of_epoch)
    assert not torch.equal(drawn[0], drawn[1])
    found = torch.stack(drawn)
    torch.testing.assert_close(found.mean(dim=0).view_as(data.mean), data.mean, rtol=0, atol=0.12)
    torch.testing.assert_close(found.std(dim=0).view_as(data.sigma), data.sigma, rtol=0.12, atol=0.01)


def test_the_history_is_the_one_that_the_teacher_acts_on(trained_run: RunFolder, data: Path) -> None:
    """Stepping through an episode as in play gives the history that the loss on values is taken at."""
    trained = restore(load_checkpoint(trained_run.teacher, "teacher"))
    assert isinstance(trained.policy, Teacher)
    found = Examples.of(read_local_rows(data, trained.widths), trained.spec.n_actions)
    history, _ = context_of(Student(trained.policy, StudentSettings()), found)
    hidden, steps = None, int(found.length[0])
    for row in range(steps):
        hidden = trained.policy.trunk(found.local[row : row + 1], hidden)
        torch.testing.assert_close(hidden[0], history.view(-1, *hidden.shape[1:])[row], rtol=1e-5, atol=1e-5)


def test_every_round_of_dagger_leaves_its_episodes_beside_the_student(
    trained_run: RunFolder, data: Path, tmp_path: Path
) -> None:
    settings = DistillSettings(steps=90, batch_rows=16, dagger_rounds=2, dagger_episodes=3)
    out = distill(trained_run.teacher, settings, data, tmp_path / "s.pt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.dagger-1.h5", "s.dagger-2.h5", "s.pt"]
    abouts = [read_about(episodes_file(out, k)) for k in (1, 2)]
    assert {about["teacher_id"] for about in abouts} == {load_checkpoint(out, "student")["teacher_id"]}
    assert [about["dagger_round"] for about in abouts] == [1, 2]
    assert abouts[0]["player"] != abouts[1]["player"]
    seeds = []
    for k in (1, 2):
        with h5py.File(episodes_file(out, k)) as file:
            seeds += file["episodes/seed"][:].tolist()
    assert seeds == episode_seeds(1, "dagger", 0, 6).tolist()


def test_the_first_round_of_dagger_is_played_by_the_student_of_the_first_phase(
    trained_run: RunFolder, data: Path, tmp_path: Path
) -> None:
    """With the steps of the first phase and no DAgger one gets that student; it plays those very episodes."""
    common: dict[str, Any] = {"batch_rows": 16, "dagger_episodes": 3, "seed": 5}
    distill(trained_run.teacher, DistillSettings(steps=80, dagger_rounds=1, **common), data, tmp_path / "d.pt")
    player = restore(
        load_checkpoint(
            distill(trained_run.teacher, DistillSettings(steps=40, **common), data, tmp_path / "p.pt"), "student"
        )
    )
    seeds = episode_seeds(5, "dagger", 0, 3)
    episodes = list(play(player.environment(3), player.policy, seeds, Exploration()))
    trained = restore(load_checkpoint(trained_run.teacher, "teacher"))
    rows = read_local_rows(episodes_file(tmp_path / "d.pt", 1), trained.widths)
    np.testing.assert_array_equal(rows.obs, np.concatenate([e.obs[:-1] for e in episodes]))
    np.testing.assert_array_equal(rows.last_action[1], episodes[0].actions[0])
    teacher = trained.policy
    assert isinstance(teacher, Teacher)
    local = Examples.of(rows, player.spec.n_actions).local[: episodes[0].length]
    informed = teacher.inform(local, torch.from_numpy(episodes[0].state[:-1]))
    assert informed is not None
    assert informed.sigma is not None
    mean, sigma = informed
    np.testing.assert_allclose(rows.z_mean[: len(mean)], mean.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rows.z_sigma[: len(mean)], sigma.numpy(), rtol=1e-4, atol=1e-5)


def test_early_stopping_keeps_the_best_weights_on_held_out_episodes(
    trained_run: RunFolder, data: Path, tmp_path: Path
) -> None:
    """A step size that overshoots: the held-out error goes up and down, and the smallest of the checks must be kept."""
    common: dict[str, Any] = {"batch_rows": 16, "learning_rate": 0.1, "check_every": 5}
    settings = DistillSettings(steps=400, early_stopping=3, **common)
    content = load_checkpoint(distill(trained_run.teacher, settings, data, tmp_path / "s.pt"), "student")
    fitted = content["fitted"]
    assert fitted["steps"] < 400
    assert fitted["kept"] == fitted["steps"] - 3 * 5
    errors = {}
    for steps in range(5, fitted["steps"] + 1, 5):
        path = distill(trained_run.teacher, DistillSettings(steps=steps, **common), data, tmp_path / f"{steps}.pt")
        errors[steps] = load_checkpoint(path, "student")["quality"]["student_validation_loss"]
    assert min(errors, key=lambda steps: errors[steps]) == fitted["kept"]
    kept = load_checkpoint(tmp_path / f"{fitted['kept']}.pt", "student")["networks"]
    assert all(torch.equal(content["networks"][key], kept[key]) for key in kept)


def test_a_fit_says_how_long_it_took(trained_run: RunFolder, data: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            seen.append(event.done)

    path = distill(
        trained_run.teacher, DistillSettings(steps=600, batch_rows=16), data, tmp_path / "s.pt", listen=listen
    )
    fitted = load_checkpoint(path, "student")["fitted"]
    assert (fitted["steps"], fitted["kept"]) == (600, 600)
    assert fitted["seconds"] > 0
    assert seen == [500, 600]


def test_a_recurrent_student_recovers_what_only_history_tells(tmp_path: Path) -> None:
    """z is the first view's, all through the episode: a student of the current view alone cannot know it."""
    torch.manual_seed(0)
    first = torch.randint(2, (40, 1, 2, 1)).float()  # (B, 1, N, 1)
    views = torch.cat([first, torch.randint(2, (40, 4, 2, 1)).float()], dim=1)  # (B, T, N, 1)
    size = fresh(StudentSettings()).trunk.encode.in_features
    local = torch.zeros(40, 5, 2, size)
    local[..., :1] = views
    local[:, 0, :, 1] = 1.0  # the first step is told apart
    z = (2 * first - 1).expand(40, 5, 2, 6)
    data = Examples(
        local.flatten(0, 1), z.flatten(0, 1), torch.ones(200, 2, 6), torch.ones(200, 2, 3).bool(), torch.full((40,), 5)
    )
    errors = {}
    for kind in ("two-layer", "recurrent"):
        settings = DistillSettings(student=kind, hidden_size=16, batch_rows=400)  # type: ignore[arg-type]  # two words
        policy = fresh(settings)
        objective = Objective(policy, "z", "values")
        batches = batches_of(data, objective, settings, Threads())
        optimiser = torch.optim.Adam(policy.network.parameters(), lr=1e-2)
        for epoch in range(300):
            batches.begin(epoch)
            batches.step(0)
            optimiser.step()
        errors[kind] = objective.on(data)
    assert errors["recurrent"] < 0.02
    assert errors["two-layer"] > 0.5
