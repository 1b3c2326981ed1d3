"""ptde: personalized training with distilled execution for cooperative multi-agent reinforcement learning.

    import ptde_core as ptde

    run = ptde.train_teacher(map="3m", seed=1)
    student = ptde.distill(run)
    print(ptde.render(ptde.evaluate(run)))

The names of `ptde_core.api` are here too. They load torch when they are first used, not when this is imported.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptde_core.api import *  # noqa: F403  what type checkers see; at run time `__getattr__`

from ptde_core.base.version import __version__ as __version__

# Torch's OpenMP threads wait for each other by spinning. Where other processes share the cores (several seeds at once,
# a laptop in use) a spinning thread keeps the one it waits for from running: an update of 70 ms was seen to take 4 s.
# OpenMP reads this when torch is imported, so it stands here, before any module of ours can do that.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def __getattr__(name: str) -> Any:
    if name == "__all__":  # what `help`, completion and `import *` show
        return [*import_module("ptde_core.api").__all__, "__version__"]
    ours = name.startswith("_") or find_spec(f"{__name__}.{name}")  # a module of ours is imported by Python itself
    if not ours and name in (api := import_module("ptde_core.api")).__all__:
        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*(name for name in globals() if name.startswith("__")), *__getattr__("__all__")]
