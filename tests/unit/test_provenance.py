"""What a result says it was computed by: the git commit, wherever it is known."""

import json
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest

from ptde_core.base import provenance


@pytest.mark.parametrize(
    ("origin", "commit"),
    [
        ({"url": "https://host/ptde", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef"}}, "0123456789abcdef"),
        ({"url": "file:///clone", "dir_info": {}}, None),
        (None, None),
    ],
)
def test_a_package_from_a_git_address_knows_its_commit(
    monkeypatch: pytest.MonkeyPatch, origin: object, commit: str | None
) -> None:
    said = None if origin is None else json.dumps(origin)
    monkeypatch.setattr(provenance, "distribution", lambda name: SimpleNamespace(read_text=lambda file: said))
    assert provenance.installed_commit() == commit


def test_what_is_not_installed_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(provenance, "distribution", missing)
    assert provenance.installed_commit() is None
