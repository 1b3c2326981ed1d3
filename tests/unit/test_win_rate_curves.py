"""Win rates over seeds: by hand, with seeds of unequal length, and as a picture whose marks can be counted."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import World
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.one_training import log_digest
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.scores.seed_curves import SeedCurve, over_seeds
from ptde_core.storage.config_file import write_config
from ptde_core.storage.provenance_file import add_sitting
from ptde_core.storage.run_folder import RunFolder, write_json
from ptde_core.storage.status import State, write_status
from ptde_core.viewing.algorithm_curves import COLORS, DASHES, MARKERS, draw_win_rates, win_rates
from ptde_core.viewing.run_curves import check_picture, save_figure


def curve(*points: tuple[float, float]) -> SeedCurve:
    steps, values = zip(*points, strict=True)
    return SeedCurve(np.array(steps, float), np.array(values, float))


def test_median_and_quartiles_by_hand() -> None:
    seeds = [curve((0, value), (10, value), (20, 1.0)) for value in (0.0, 0.2, 0.4, 0.6, 0.8)]
    found = over_seeds(seeds, 10)
    assert found.env_steps.tolist() == [10, 20]
    assert found.median.tolist() == pytest.approx([0.4, 1])
    assert (found.low[0], found.high[0]) == pytest.approx((0.2, 0.6))
    assert found.seeds.tolist() == [5, 5]


def test_a_seed_is_read_between_its_tests_and_never_outside_of_them() -> None:
    found = over_seeds([curve((8, 0.0), (12, 0.4), (22, 0.9))], 10)
    assert found.env_steps.tolist() == [10, 20]
    assert found.median.tolist() == pytest.approx([0.2, 0.8])
    late = over_seeds([curve((15, 0.5), (31, 0.5))], 10)
    assert late.env_steps.tolist() == [20, 30]


def test_seeds_of_unequal_length_are_counted_and_too_few_have_no_band() -> None:
    long, short = ((0, 0.0), (10, 0.2), (20, 0.6), (30, 1.0)), ((0, 0.0), (10, 0.2), (20, 0.0))
    found = over_seeds([curve(*long), curve(*long), curve(*short)], 10)
    assert found.seeds.tolist() == [3, 3, 2]
    assert found.median.tolist() == pytest.approx([0.2, 0.6, 1.0])
    assert np.isnan(found.low).tolist() == [False, False, True]
    assert found.low[1] == pytest.approx(0.3)


def test_curves_that_reach_nowhere_are_refused() -> None:
    for curves in ([], [curve((0, 0.5))], [curve((15, 0.5))]):
        with pytest.raises(ValueError, match="no seed has come as far as 10 env steps"):
            over_seeds(curves, 10)


@pytest.fixture(autouse=True)
def _on_version_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENTS, "skirmish", replace(ENVIRONMENTS["skirmish"], now=world_4))  # type: ignore[arg-type]


def world_4(map_name: str) -> World:
    return World(environment="skirmish", version="4", map=map_name)


def add_run(
    root: Path,
    name: str,
    rates: Sequence[float],
    *,
    state: State = "finished",
    world: World | None = None,
    **settings: Any,
) -> None:
    """A run that was tested every 10,000 env steps."""
    run = RunFolder(root / name)
    decided = train_teacher_settings({"map": "3m", "average_weights": 0.0, **settings})
    played = world or world_4(decided.map)
    made_from = training_made_from(decided, played)
    write_config(run.config, decided.model_dump(), made_from)
    add_sitting(run.provenance, made_from, threads=1)
    rows = [{"env_steps": 10_000 * k + 3, "test_win_rate": rate} for k, rate in enumerate(rates)]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = "" if state == "finished" else "stopped by the user"
    write_status(run, state, told, training=made_from.digest, log=log_digest(run))


def test_runs_meet_by_map_algorithm_and_settings(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        add_run(tmp_path, f"sgi{seed}", [0, 0.5, 1.0], seed=seed, steps=20_000 + seed)
        add_run(tmp_path, f"plain{seed}", [0, 0.1, 0.2], seed=seed, global_info="none")
    add_run(tmp_path, "other", [0, 0.1, 0.2], seed=4, global_info="none", td_lambda=0.0)
    add_run(tmp_path, "map", [0, 0.1, 0.2], map="3s_vs_5z")
    found = win_rates([tmp_path])
    assert (found.backend, found.version, found.left_out) == ("skirmish", "4", ())
    assert {name: [(line.name, line.train_seeds) for line in lines] for name, lines in found.maps.items()} == {
        "3m": [("QMIX_SGI", (1, 2, 3)), ("QMIX (td_lambda=0.6)", (1, 2, 3)), ("QMIX (td_lambda=0.0)", (4,))],
        "3s_vs_5z": [("QMIX_SGI", (1,))],
    }


def test_what_is_unfinished_is_left_out_or_said(tmp_path: Path) -> None:
    add_run(tmp_path, "a", [0, 0.5, 1.0], seed=1)
    add_run(tmp_path, "b", [0, 0.5], seed=2, state="interrupted")
    add_run(tmp_path, "empty", [], seed=3)
    found = win_rates([tmp_path])
    assert found.maps["3m"][0].train_seeds == (1,)
    assert [(Path(one.run).name, one.state) for one in found.left_out] == [("b", "interrupted"), ("empty", "finished")]
    (line,) = win_rates([tmp_path], unfinished=True).maps["3m"]
    assert (line.train_seeds, line.unfinished, line.curve.seeds.tolist()) == ((1, 2), 1, [2, 1])
    (text,) = draw_win_rates(win_rates([tmp_path], unfinished=True)).legends[0].get_texts()
    assert text.get_text() == "QMIX_SGI, 2 seeds (1 unfinished)"


def test_a_run_that_says_too_many_env_steps_for_its_tests_is_left_out(tmp_path: Path) -> None:
    add_run(tmp_path, "a", [0, 0.5, 1.0], seed=1)
    add_run(tmp_path, "far", [0], seed=2)
    far = RunFolder(tmp_path / "far")
    with far.metrics.open("a") as file:
        file.write('{"env_steps": 1000000000000, "test_win_rate": 0.5}\n')
    write_status(far, "finished", log=log_digest(far))
    found = win_rates([tmp_path])
    assert found.maps["3m"][0].train_seeds == (1,)
    assert [(Path(one.run).name, one.state) for one in found.left_out] == [("far", "unreadable")]
    assert "at most 100,000 tests are drawn" in found.left_out[0].why
    with pytest.raises(ValueError, match="at most 100,000 tests"):
        over_seeds([curve((0, 0.5), (10**12, 0.5))], 10)


def test_tests_whose_result_is_undefined_are_no_points(tmp_path: Path) -> None:
    nothing = float("nan")
    add_run(tmp_path, "a", [0, nothing, 1.0], seed=1)
    add_run(tmp_path, "none", [nothing, nothing, nothing], seed=2)
    found = win_rates([tmp_path])
    assert found.maps["3m"][0].curve.median.tolist() == pytest.approx([0.5, 1.0], abs=1e-3)
    assert [one.why for one in found.left_out] == ["it has logged no test"]


def test_the_legend_says_how_many_seeds_each_panel_has(tmp_path: Path) -> None:
    for seed in (1, 2):
        add_run(tmp_path, f"a{seed}", [0, 0.5], seed=seed)
    add_run(tmp_path, "b", [0, 0.5], seed=1, map="3s_vs_5z", world=world_4("3s_vs_5z"))
    add_run(tmp_path, "c", [0, 0.5], seed=1, global_info="none")
    texts = [text.get_text() for text in draw_win_rates(win_rates([tmp_path])).legends[0].get_texts()]
    assert set(texts) == {"QMIX_SGI, seeds by panel: 2, 1", "QMIX, 1 seed"}


def test_no_label_of_the_legend_leaves_the_picture(tmp_path: Path) -> None:
    for info in ("none", "unified", "agent-specific"):
        for alg in ("qmix", "vdn", "qplex"):
            for seed, name in ((1, "3m"), (1, "3s_vs_5z"), (2, "3s_vs_5z")):
                of = {"map": name, "alg": alg, "global_info": info}
                add_run(tmp_path, f"{alg}{info}{name}{seed}", [0, 0.5], seed=seed, world=world_4(name), **of)
    figure = draw_win_rates(win_rates([tmp_path]))
    figure.savefig(tmp_path / "x.png")  # lays it out
    whole, legend = figure.bbox, figure.legends[0].get_window_extent()
    assert whole.x0 <= legend.x0 < legend.x1 <= whole.x1


def test_a_repeat_is_no_further_seed(tmp_path: Path) -> None:
    add_run(tmp_path, "old", [0, 0.5, 1.0])
    old = json.loads((tmp_path / "old" / "status.json").read_text())
    write_json(tmp_path / "old" / "status.json", {**old, "time": "2026-01-01T00:00:00+0000"})
    add_run(tmp_path, "new", [0, 0.25, 0.5])
    found = win_rates([tmp_path])
    assert found.maps["3m"][0].curve.median.tolist() == pytest.approx([0.25, 0.5], abs=1e-3)
    assert found.left_out[0].why == f"repeats seed 1 of {tmp_path / 'new'}, which is newer"


def test_maps_of_one_name_and_other_content_share_no_line(tmp_path: Path) -> None:
    for seed, content in ((1, "a"), (2, "b")):
        world = World(environment="pettingzoo", version="1", map="game:Game", map_digest=content * 16)
        add_run(tmp_path, content, [0, 0.5], seed=seed, env="pettingzoo", map="game:Game", world=world)
    (lines,) = win_rates([tmp_path]).maps.values()
    assert {(line.name, line.train_seeds) for line in lines} == {
        ("QMIX_SGI (map_digest=aaaaaaaa)", (1,)),
        ("QMIX_SGI (map_digest=bbbbbbbb)", (2,)),
    }


def test_versions_never_meet_and_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(PtdeError, match="has a curve to draw"):
        win_rates([tmp_path])
    add_run(tmp_path, "a", [0, 0.5])
    smac = World(environment="smac", version="5", map="3m")
    add_run(tmp_path, "b", [0, 0.5], world=smac, env="smac", seed=2)
    with pytest.raises(PtdeError, match=r"the runs are of skirmish 4 \(.*a\) and smac 5 \(.*b\), which do not"):
        win_rates([tmp_path])


def test_a_run_whose_tests_lie_within_test_every_is_told_what_helps(tmp_path: Path) -> None:
    add_run(tmp_path, "a", [0.5], test_every=20_000)
    for unfinished in (False, True):
        with pytest.raises(PtdeError, match=r"tests from 3 to 3 env steps reach no multiple of .* 20,000: ") as refused:
            win_rates([tmp_path], unfinished=unfinished)
        assert "--unfinished" not in str(refused.value)
        assert f"`ptde visualize {tmp_path / 'a'}`" in str(refused.value)
    add_run(tmp_path, "b", [0, 0.5], seed=2, state="interrupted")
    with pytest.raises(PtdeError, match="or draw what there is with --unfinished"):
        win_rates([tmp_path])


def test_the_picture_names_backend_maps_and_algorithms_and_every_kind_is_written(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        add_run(tmp_path / "runs", f"a{seed}", [0, 0.5, 1.0, 1.0][: 5 - seed], seed=seed)
        add_run(tmp_path / "runs", f"b{seed}", [0, 0.1, 0.2], seed=seed, global_info="none")
    figure = draw_win_rates(win_rates([tmp_path / "runs"]))
    svg = save_figure(figure, tmp_path / "a.svg").read_text()
    for text in ("skirmish (not SMAC), version 4", ">3m<", "QMIX_SGI, 3 seeds", "QMIX, 3 seeds", "tests of 32 greedy"):
        assert text in svg
    assert save_figure(figure, tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(save_figure(figure, tmp_path / "a.png")) as picture:
        assert picture.width > 600
    again = draw_win_rates(win_rates([tmp_path / "runs"]))
    for kind in ("svg", "pdf", "png"):
        assert save_figure(again, tmp_path / f"b.{kind}").read_bytes() == (tmp_path / f"a.{kind}").read_bytes()
    with pytest.raises(PtdeError, match=r"a\.jpg names no kind of picture; let it end in \.png, \.svg, \.pdf"):
        check_picture(Path("a.jpg"))


def test_algorithms_differ_without_colour() -> None:
    looks = [(k % len(DASHES), MARKERS[k % len(MARKERS)]) for k in range(len(COLORS))]
    assert len(set(looks)) == len(COLORS)
