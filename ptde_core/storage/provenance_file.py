"""provenance.json: the environment's version, and the code, packages and machine of each sitting of a training."""

import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import MadeFrom
from ptde_core.base.provenance import code, machine, packages
from ptde_core.storage.run_folder import ANEW, read_json, write_json


class Sitting(BaseModel):
    """One uninterrupted stretch of a training; `threads` is the number of threads that torch uses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: str  # when it began; ISO 8601
    code: str  # ptde's version and git commit
    packages: dict[str, str]
    machine: str
    threads: int


class Provenance(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    backend_version: str
    training: str = ""  # digest of what the training is made from, by the last sitting; "": of an older ptde
    sittings: tuple[Sitting, ...]


def read_provenance(path: Path) -> Provenance:
    """Read and check the file.

    Raises:
        PtdeError: missing or broken.
    """
    value = read_json(path, "provenance of a run")
    try:
        return Provenance.model_validate(value)
    except ValidationError:
        raise PtdeError(f"{path} is not the provenance of a run", ANEW) from None


def add_sitting(path: Path, made_from: MadeFrom, threads: int) -> None:
    """Record that a sitting starts now, on this machine, of the training that is made from this.

    Raises:
        PtdeError: an earlier sitting had another version of the environment.
    """
    now = Sitting(
        time=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        code=code(),
        packages=packages(),
        machine=machine(),
        threads=threads,
    )
    earlier: tuple[Sitting, ...] = ()
    backend, version = made_from.world.environment, made_from.world.version
    if path.exists():
        held = read_provenance(path)
        if (held.backend, held.backend_version) != (backend, version):
            raise PtdeError(
                f"{path.parent} was begun on {held.backend} {held.backend_version}, here it is {backend} {version}",
                f"go on with ptde {held.sittings[-1].code}, or train anew with --out for another folder",
            )
        earlier = held.sittings
    told = Provenance(backend=backend, backend_version=version, training=made_from.digest, sittings=(*earlier, now))
    write_json(path, told.model_dump())
