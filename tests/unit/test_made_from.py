"""The digest of what a result was made from: it changes with each part, and only then; what is edited is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import MadeFrom, World, digest_of, read_made_from
from ptde_core.envs.skirmish.map_files import load_map
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.runs.stage_settings import default_folder, train_teacher_settings
from ptde_core.scores.published import published_retention, published_win_rate

WORLD = World(environment="skirmish", version="8", map="3m", map_digest="abc")
MADE = MadeFrom(stage="distill", world=WORLD, settings={"steps": 5, "seed": 1}, parents={"teacher": "t"})
HILL = """
limit = 20
terrain = ["######", "#....#", "#....#", "#....#", "######"]
allies = [{ type = "marine", count = 2, x = 1.5, y = 2 }]
enemies = [{ type = "marine", count = 1, x = 4.5, y = 2 }]
enemy_order = { kind = "none" }
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"world": WORLD.model_copy(update={"version": "7"})}, "made on skirmish 7, here it is skirmish 8"),
        ({"world": WORLD.model_copy(update={"environment": "smac"})}, "made on smac 8, here it is skirmish 8"),
        ({"world": WORLD.model_copy(update={"map": "8m"})}, "made on the map 8m, now it is 3m"),
        ({"world": WORLD.model_copy(update={"map_digest": "xyz"})}, "with the content xyz, now it is abc"),
        ({"stage": "collect"}, "made by collect, not by distill"),
        ({"settings": {"steps": 6, "seed": 1}}, "made with steps = 6, not 5"),
        ({"settings": {"steps": 5}}, "made with seed = 'not set', not 1"),
        ({"settings": {"steps": 5, "seed": 1, "more": None}}, "made with more = None, not 'not set'"),
        ({"parents": {"teacher": "u"}}, "made from another teacher"),
        ({"parents": {}}, "made from another teacher"),
        ({"parents": {"teacher": "t", "episodes": "e"}}, "made from another episodes"),
    ],
)
def test_every_part_is_in_the_digest_and_is_told(change: dict[str, Any], says: str) -> None:
    other = MADE.model_copy(update=change)
    assert other.digest != MADE.digest
    assert says in other.changed(MADE)
    assert MADE.changed(MADE) == ""


def test_what_may_differ_is_not_told() -> None:
    other = MADE.model_copy(update={"settings": {"steps": 9, "seed": 1}})
    assert other.changed(MADE, ignoring={"steps"}) == ""


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=5))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert digest_of(value) == digest_of(dict(reversed(value.items())))
    assert MadeFrom(stage="collect", world=WORLD, settings=value).digest != MADE.digest


def test_what_a_file_says_comes_back() -> None:
    assert read_made_from(MADE.plain(), "x.pt") == MADE


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "does not say what it was made from; it is of an older ptde"),
        ("text", "does not say readably"),
        (3, "does not say readably"),
        ([], "does not say readably"),
        ({}, "does not say readably"),
        ({**MADE.plain(), "stage": "dream"}, "does not say readably"),
        ({**MADE.plain(), "digest": MADE.model_copy(update={"parents": {}}).digest}, "its digest is another"),
        ({**MADE.plain(), "settings": {"steps": 6, "seed": 1}}, "its digest is another"),
    ],
)
def test_what_is_missing_or_edited_is_refused_in_one_sentence(value: Any, says: str) -> None:
    with pytest.raises(PtdeError, match=says) as refused:
        read_made_from(value, "x.pt")
    assert str(refused.value).startswith("x.pt ")


def hill(folder: str, text: str = HILL, name: str = "hill.toml") -> Path:
    path = Path(folder) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


EDITS = {
    "limit": ("limit = 20", "limit = 21"),
    "terrain": ("#....#", "#...##"),
    "cliff": ("#....#", "#..^.#"),
    "allies": ("count = 2", "count = 3"),
    "place": ("x = 1.5", "x = 2.5"),
    "enemies": ('enemies = [{ type = "marine"', 'enemies = [{ type = "zealot"'),
    "order": ('kind = "none"', 'kind = "attack_units"'),
    "switches": ("limit = 20", "limit = 20\nswitches = { idle_returns = false }"),
}


@pytest.mark.usefixtures("_in_an_empty_folder")
@pytest.mark.parametrize("what", EDITS)
def test_another_content_is_another_map(what: str) -> None:
    one, other = load_map(hill("a")), load_map(hill("b", HILL.replace(*EDITS[what], 1)))
    assert one.digest() != other.digest()
    assert one.name != other.name
    assert one.name.startswith("hill@")


@pytest.mark.usefixtures("_in_an_empty_folder")
def test_equal_content_is_the_same_map_wherever_it_lies() -> None:
    one, other = load_map(hill("a")), load_map(hill("b", "# a comment\n" + HILL))
    assert (one.name, one.digest()) == (other.name, other.digest())
    assert load_map(hill("c", name="dale.toml")).digest() == one.digest(), "whatever it is called"


@pytest.mark.usefixtures("_in_an_empty_folder")
def test_a_map_that_is_edited_is_read_anew() -> None:
    before = Skirmish(hill("a"), 1).spec
    after = Skirmish(hill("a", HILL.replace("limit = 20", "limit = 30")), 1).spec
    assert (before.episode_limit, after.episode_limit) == (20, 30)
    assert before.fingerprint() != after.fingerprint()
    assert before.world.changed(after.world)


@pytest.mark.usefixtures("_in_an_empty_folder")
def test_maps_of_one_name_have_folders_of_their_own() -> None:
    paths = [hill("a"), hill("b", HILL.replace("limit = 20", "limit = 30"))]
    folders = [default_folder(train_teacher_settings({"map": str(path)})).path for path in paths]
    assert len(set(folders)) == 2
    assert all(folder.parts[2].startswith("hill@") for folder in folders)
    odd = default_folder(train_teacher_settings({"map": str(hill("c", name="a\u2028b c\n.toml"))})).path
    assert re.fullmatch(r"a-b-c-@[0-9a-f]{8}", odd.parts[2]), "a line of SHA256SUMS holds it"


@pytest.mark.usefixtures("_in_an_empty_folder")
def test_an_own_map_with_a_name_of_the_papers_has_no_figure_of_the_papers() -> None:
    own = Skirmish(hill("a", name="3s_vs_5z.toml"), 1).spec
    assert published_win_rate("skirmish", "3s_vs_5z", "QMIX_SGI") is not None
    assert published_win_rate("skirmish", own.map, "QMIX_SGI") is None
    assert published_retention("skirmish", own.map, "QMIX_ASGKD") is None
