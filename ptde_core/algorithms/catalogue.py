"""The one list of algorithms: name -> record. Settings, command line, tables and manual read the records.

An algorithm outside the package is named `module:NAME`, where its record stands (docs/how-to/add-an-algorithm.md). No
torch here: the command line reads this file.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.records.copa import COPA
from ptde_core.algorithms.records.csrl import CSRL
from ptde_core.algorithms.records.ctds import CTDS
from ptde_core.algorithms.records.mappo import MAPPO
from ptde_core.algorithms.records.qmix import QMIX
from ptde_core.algorithms.records.qplex import QPLEX
from ptde_core.algorithms.records.vdn import VDN
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError, nearest, quoted, unknown
from ptde_core.base.trusted_code import check_code

ALGORITHMS: Mapping[str, Algorithm[Any]] = {
    "qmix": QMIX,
    "vdn": VDN,
    "qplex": QPLEX,
    "mappo": MAPPO,
    "csrl": CSRL,
    "copa": COPA,
    "ctds": CTDS,
}
OPTION = "--alg"
OWN = "one of your own is named module:NAME (docs/how-to/add-an-algorithm.md)"
EXAMPLE = "type for example: --alg my_module:MINE, where MINE is an Algorithm (docs/how-to/add-an-algorithm.md)"


def algorithm_named(name: str) -> Algorithm[Any]:
    """The record of an algorithm.

    Args:
        name: in `ALGORITHMS`, or `module:NAME` of one's own. A module that is not loaded yet is imported only if the
            name was typed or files are trusted (`base/trusted_code.py`).

    Raises:
        PtdeError: there is none of that name, or a file names code that nobody has trusted.
    """
    if name in ALGORITHMS:
        return ALGORITHMS[name]
    if not is_own(name):
        raise unknown("algorithm", name, ALGORITHMS, f"choose from {', '.join(ALGORITHMS)}; {OWN}")
    module, _, attribute = name.partition(":")
    loaded = sys.modules.get(module)
    held = None if loaded is None else vars(loaded).get(attribute)  # no lazy import of the module's own is set off
    if isinstance(held, Algorithm):  # this program has imported it itself: nothing is left to trust
        return held
    check_code(OPTION, name)
    return _imported(module, attribute)


def is_own(name: str) -> bool:
    """Whether an algorithm's name is one of code outside the package."""
    return ":" in name


def typed_settings(values: Mapping[str, Any]) -> TrainingSettings:
    """The settings of the training that a checkpoint comes from, typed: what was read as plain values becomes so here.

    A setting that ptde did not have yet when the checkpoint was written takes its default, which is what ptde did then.
    One that ptde has no more is left out.

    Raises:
        PtdeError: as `algorithm_named`.
        ValueError: a value that cannot be.
    """
    model: type[TrainingSettings] = algorithm_named(str(values["alg"])).settings
    return model.model_validate({key: values[key] for key in model.model_fields if key in values})


def _imported(module: str, attribute: str) -> Algorithm[Any]:
    """What a module holds under a name.

    Raises:
        PtdeError: the module cannot be imported, or holds no algorithm there.
    """
    name = f"{module}:{attribute}"
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109  a module beside the user, as with `python -m`
        sys.path.insert(0, here)
    try:
        imported = importlib.import_module(module)
    except PtdeError:  # such as of a record that cannot be
        raise
    except Exception as error:  # whatever the module itself raises: it is the user's
        reason = f"{type(error).__name__}: {quoted(error)}"
        raise PtdeError(f"the algorithm {name!r} cannot be imported ({reason})", EXAMPLE) from error
    held = getattr(imported, attribute, None)
    if isinstance(held, Algorithm):
        return held
    problem = f"{name!r} is {'not there' if held is None else f'no Algorithm, but of type {type(held).__name__}'}"
    there = [key for key, value in vars(imported).items() if isinstance(value, Algorithm)]
    raise PtdeError(problem, nearest(attribute, there) if there else EXAMPLE)
