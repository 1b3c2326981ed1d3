"""The paper's experiments as sweeps: which cells each of its tables and figures is made of.

No torch here: the command line reads this file.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.sweep_file import SweepFile, read_sweep, teacher_named
from ptde_core.storage.page import check_page
from ptde_core.storage.whole_file import refuse_linked

FOLDER = Path(__file__).parent
ALL = "all"
OUT = Path("reproduction")
FOOTBALL = "football"
PAGE = "reproduction.md"  # in the folder of the runs, unless another is named
FIGURES = "figures"  # the folder beside the page
SMAC_LIKE = ("skirmish", "smac", FOOTBALL)


@dataclass(frozen=True)
class Part:
    """A table or figure of the paper.

    Args:
        sweep: the file of its cells, which may be another one's too.
        shows: the report's table, curves over training, or two strategies on one battle.
        title: what it is.
    """

    sweep: str
    shows: Literal["table", "curves", "strategies"]
    title: str


PARTS: Mapping[str, Part] = {
    "table2": Part("table2", "table", "Table 2: win rates and PRR on SMAC's maps"),
    "table3": Part("table3", "table", "Table 3: win rates and PRR in Google Research Football"),
    "figure6": Part("figure6", "strategies", "Figure 6: QMIX and a student of QMIX_SGI in one battle"),
    "figure7": Part("figure7", "curves", "Figure 7: VDN and MAPPO with every kind of global information"),
    "figure8": Part("table2", "curves", "Figure 8: learning curves on SMAC's maps"),
    "figure9": Part("table3", "curves", "Figure 9: learning curves in Google Research Football"),
}


@dataclass(frozen=True)
class Scope:
    """How much of the paper's experiments is meant.

    Args:
        env: where SMAC's maps are played, or football for its parts alone; None: skirmish, and football for its own.
        budget: share of the paper's training steps and of the students' gradient steps.
        seeds: training seeds.
        maps, algorithms: only these; empty: all of the part.
        out: folder of the runs; None: `reproduction`, of a smaller budget with it in the name.
    """

    env: str | None = None
    budget: float = 1.0
    seeds: Collection[int] = (1, 2, 3)
    maps: Sequence[str] = ()
    algorithms: Sequence[str] = ()
    out: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the runs go: other budgets, other folder."""
        return self.out or (OUT if self.budget == 1 else OUT.with_name(f"{OUT}-{self.budget:g}"))


def parts_of(name: str, scope: Scope, *, trains: bool = True) -> list[str]:
    """The parts that are meant: of "all", those that `env` and, where something is trained, what is installed allow.

    Raises:
        PtdeError: no such part or environment, or one that the other cannot have.
    """
    if name != ALL and name not in PARTS:
        raise unknown("table or figure", name, [*PARTS, ALL])
    if scope.env is not None and scope.env not in SMAC_LIKE:
        raise PtdeError(f"the paper's maps are not on {scope.env}", f"choose from {', '.join(SMAC_LIKE)}")
    if name != ALL:
        if scope.env is not None and is_football(name) != (scope.env == FOOTBALL):
            raise PtdeError(
                f"{name} is not played on {scope.env}", "leave out --env, or choose another table or figure"
            )
        return [name]
    return [
        part
        for part in PARTS
        if scope.env is None or is_football(part) == (scope.env == FOOTBALL)
        if not (is_football(part) and trains) or scope.env == FOOTBALL or find_spec("gfootball") is not None
    ]


def is_football(part: str) -> bool:
    """Whether a part is played in Google Research Football."""
    return read_sweep(FOLDER / f"{PARTS[part].sweep}.toml").settings.get("env") == FOOTBALL


def of_part(part: str, cells: Sequence[Cell]) -> list[Cell]:
    """Those of the cells that a part is made of, whatever their seeds."""
    grids = _grids(part)
    own = {(name, algorithm) for grid in grids for name in grid["map"] for algorithm in grid["algorithm"]}
    return [cell for cell in cells if (cell.pipeline.training.map, cell.algorithm) in own]


def maps_of(part: str) -> list[str]:
    """The maps of a part in the paper."""
    return list(dict.fromkeys(name for grid in _grids(part) for name in grid["map"]))


def _grids(part: str) -> Sequence[Mapping[str, Any]]:
    return read_sweep(FOLDER / f"{PARTS[part].sweep}.toml").grid


def sweep_of(parts: Sequence[str], scope: Scope) -> SweepFile:
    """One sweep of all cells of these parts, none twice.

    Raises:
        PtdeError: a map or algorithm that none of the parts has, or nothing that is left.
    """
    for name in scope.algorithms:
        teacher_named(name)
    held = [read_sweep(FOLDER / f"{name}.toml") for name in dict.fromkeys(PARTS[part].sweep for part in parts)]
    grids = [(file, grid) for file in held for grid in file.grid]
    _check_among("map", scope.maps, [name for _, grid in grids for name in grid["map"]])
    _check_among("algorithm", scope.algorithms, [name for _, grid in grids for name in grid["algorithm"]])
    points: dict[tuple[str, str, str, int], None] = {}
    for file, grid in grids:
        env = str(file.settings.get("env") or scope.env or "skirmish")
        seeds = [seed for seed in scope.seeds if len(grid["seed"]) > 1 or seed in grid["seed"]]
        for map_name in [name for name in grid["map"] if not scope.maps or name in scope.maps]:
            for algorithm in [name for name in grid["algorithm"] if not scope.algorithms or name in scope.algorithms]:
                points.update(dict.fromkeys((env, map_name, algorithm, seed) for seed in seeds))
    if not points:
        raise PtdeError("no cell is left", "give fewer of --maps and --algorithms")
    keys = ("env", "map", "algorithm", "seed")
    return SweepFile(
        out=scope.folder,
        budget=scope.budget,
        settings={"recipe": held[0].settings["recipe"]},
        grid=tuple(dict(zip(keys, point, strict=True)) for point in points),
    )


def check_place(page: Path) -> None:
    """Refuse a page that cannot be written, or whose pictures cannot, before anything is done for it.

    Raises:
        PtdeError: as `check_page`, or the pictures' folder is a link.
    """
    check_page(page)
    refuse_linked(page.parent / FIGURES)


def _check_among(kind: str, asked: Sequence[str], there: Collection[str]) -> None:
    for name in asked:
        if name not in there:
            raise unknown(f"{kind} in it", name, dict.fromkeys(there))
