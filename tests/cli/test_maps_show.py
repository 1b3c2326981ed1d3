import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageColor

from ptde_cli.app import COMMANDS
from ptde_core.envs.backends import world_now
from ptde_core.envs.skirmish.map_files import map_names
from tests.cli.conftest import Ended, Type, spawn
from tests.cli.test_errors import assert_one_sentence

OWN = """
terrain = ["######", "#....#", "#.^^.#", "#....#", "######"]
limit = 20
allies = [{ type = "marine", count = 1, x = 1.5, y = 2.5 }]
enemies = [{ type = "marauder", count = 1, x = 4.5, y = 2.5 }]
enemy_order = { kind = "attack_move", x = 2, y = 1 }
"""


def test_a_map_of_ones_own_is_drawn_as_plain_text(ptde: Type) -> None:
    Path("own.toml").write_text(OWN)
    ended = ptde("maps", "show", "own.toml")
    assert (ended.code, ended.err) == (0, "")
    digest = world_now("skirmish", "own.toml").map_digest[:8]
    assert ended.out.splitlines()[:8] == [
        f"own@{digest}: 6 x 5 cells, north is up",
        "  4 ############",
        "  3 ##. . . . ##",
        "  2 ##M ^^^^a ##",
        "  1 ##. X . . ##",
        "  0 ############",
        "    0       4",
        "## wall, . ground, ^^ cliff (only a colossus crosses), large letters allies, small letters enemies, "
        "X where the enemy is sent.",
    ]
    assert re.search(r"allies +marine +M +1 +\(1\.5, 2\.5\)", ended.out)
    assert re.search(r"enemies +marauder +a +1 +\(4\.5, 2\.5\)", ended.out)
    assert "Order to the enemies: walk to (2, 1) and attack what comes in sight." in ended.out
    assert (
        "Agents: 1; actions: 7; numbers in an observation: 10, in the state: 14; an episode is cut after 20"
        in ended.out
    )


@pytest.mark.parametrize("name", map_names())
def test_every_built_in_map_is_drawn(ptde: Type, name: str) -> None:
    ended = ptde("maps", "show", name)
    assert ended.code == 0
    assert ended.out.startswith(f"{name}: 32 x 32 cells")


def test_the_picture(ptde: Type) -> None:
    ended = ptde("maps", "show", "2c_vs_64zg", "--out", "pictures/map.png")
    assert ended.code == 0
    assert ended.err == "saved pictures/map.png (map 2c_vs_64zg)\n"
    with Image.open("pictures/map.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert min(picture.size) > 700
        assert len(picture.getcolors(1 << 24) or []) > 20


@pytest.mark.parametrize(("name", "reaches"), [("corridor", True), ("3m", False)])
def test_the_arrow_ends_at_the_goal_unless_units_stand_there(ptde: Type, name: str, reaches: bool) -> None:
    """The head is a triangle of the goal's colour, a part of a cell behind its tip."""
    from ptde_core.envs.skirmish.layout import build_roster
    from ptde_core.envs.skirmish.map_files import load_map
    from ptde_core.viewing.map_drawing import FINER, GOAL_COLOR, _Picture

    facts = load_map(name)
    picture = _Picture(facts)
    image = picture.drawn(build_roster(facts))
    (x, y), away = facts.enemy_order.points[0], 0.4  # cells, towards where the enemies come from: north-east or east
    column, row = picture.at(
        x + away * (0.7 if name == "corridor" else 1), y + away * (0.7 if name == "corridor" else 0)
    )
    seen = image.getpixel((round(column / FINER), round(row / FINER)))
    assert (seen == ImageColor.getrgb(GOAL_COLOR)) == reaches


def test_on_a_narrow_terminal_a_cell_is_one_character(monkeypatch: pytest.MonkeyPatch) -> None:
    from ptde_cli import display
    from ptde_core.envs.skirmish.map_files import load_map
    from ptde_core.viewing.map_drawing import map_sheet

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    display.print_map(map_sheet(load_map("3m")))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert lines[1] == " 31 " + "#" * 32
    assert lines[16].startswith(" 16 ##.......M")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (("limit = 20", "limit = 0"), ("map 'own': limit = 0", "1 to 100,000")),
        (("limit = 20", ""), ("map 'own' lacks the key 'limit'", "own-maps.md")),
        (("limit = 20", "limits = 20"), ("unknown key 'limits'", "did you mean 'limit'?")),
        (("limit = 20", "limit ="), ("own.toml is not a TOML file",)),
        (("marine", "marin"), ("no unit type (of allies in map 'own') named 'marin'", "did you mean 'marine'?")),
        (("x = 1.5", "x = 0.5"), ("the allies' point (0.5, 2.5) is not on walkable ground",)),
        (("count = 1, x = 1.5", "count = 30, x = 1.5"), ("no room for 30 marine at (1.5, 2.5)",)),
        (("#.^^.#", "#.^.#"), ("terrain row 2 is '#.^.#'", "equal length")),
        (("#.^^.#", "#.~~.#"), ("terrain row 2 is '#.~~.#'", "'.', ':', '#' and '^'")),
        (("attack_move", "atack"), ("enemy_order", "attack_move_random_on_segment")),
        (("limit = 20", "limit = 20\nally_type_bits = ['marine', 'x']"), ("ally_type_bits", "once")),
        (("limit = 20", "limit = 20\nally_type_bits = 'marine'"), ("ally_type_bits = 'marine'", "a list")),
        (("limit = 20", "limit = 20\nswitches = { squeeeze = 1 }"), ("unknown switch 'squeeeze'", "squeeze")),
    ],
)
def test_what_is_wrong_with_a_map_is_told_in_one_sentence(
    ptde: Type, change: tuple[str, str], parts: tuple[str, ...]
) -> None:
    assert change[0] in OWN
    Path("own.toml").write_text(OWN.replace(*change))
    assert_one_sentence(ptde("maps", "show", "own.toml"), *parts)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("maps show", ("missing argument 'MAP'", "`ptde maps show --help`")),
        ("maps shwo 3m", ("'shwo'", "`ptde maps --help`")),
        ("maps show 3n", ("no map named '3n'", "did you mean '3m'?")),
        ("maps show nowhere.toml", ("no map file at nowhere.toml",)),
        ("maps show 3m --out map.jpg", ("map.jpg is not the name of a PNG file", ".png")),
    ],
)
def test_mistakes(ptde: Type, line: str, parts: tuple[str, ...]) -> None:
    assert_one_sentence(ptde(*line.split()), *parts)


def test_help_of_the_parts(ptde: Type) -> None:
    def squeezed(ended: Ended) -> str:
        return " ".join(ended.out.split())

    maps = next(command for command in COMMANDS if command.name == "maps")
    assert f"show {maps.parts[0].meaning}" in squeezed(ptde("maps", "--help"))
    shown = ptde("maps", "show", "--help")
    assert shown.code == 0
    assert f"Example: {maps.parts[0].example}" in shown.out


def test_bash_completes_the_part_and_the_map(tmp_path: Path) -> None:
    for typed, completed in (("ptde maps sh", ["show"]), ("ptde maps show MM", ["MMM", "MMM2"])):
        position = str(len(typed.split()) - 1)
        ended = spawn(cwd=tmp_path, _PTDE_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=position)
        assert ended.out.split() == completed
