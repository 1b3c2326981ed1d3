"""Layer 11: the front door from Python, and the one that the command line uses. `import ptde_core as ptde`.

The names in `__all__` are stable; everything else in the package may change. Settings are given by name, as `--set`
gives them on the command line; they win over the map's preset, which wins over the defaults (`ptde settings`).

What a verb needs is imported when it is called: reports and comparisons never load torch, and a setting that cannot be
is told before torch is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ptde_core.api.looking import compare, curves, inspect, render, report, tables, visualize
from ptde_core.api.making import collect, distill, evaluate, export, run, train_teacher, train_teachers
from ptde_core.api.playing import load_policy, make_env
from ptde_core.base.errors import PtdeError
from ptde_core.pipeline.callbacks import Played, Tested, Updated
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from ptde_core.rollout.loaded import LoadedPolicy

__all__ = [
    "EvaluationEntry",
    "LoadedPolicy",
    "Played",
    "PtdeError",
    "RunFolder",
    "Tested",
    "Updated",
    "collect",
    "compare",
    "curves",
    "distill",
    "evaluate",
    "export",
    "inspect",
    "load_policy",
    "make_env",
    "render",
    "report",
    "run",
    "tables",
    "train_teacher",
    "train_teachers",
    "visualize",
]


HEAVY = {"LoadedPolicy": "ptde_core.rollout.loaded"}  # classes whose module loads torch


def __getattr__(name: str) -> Any:
    if name in HEAVY:
        return getattr(import_module(HEAVY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
