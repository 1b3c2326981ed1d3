"""The part of README.md that shows results/: `python docs/hooks/readme_results.py` writes it anew."""

from pathlib import Path

from ptde_core.experiments.reproduction_page import head_text
from ptde_core.results.gather import report
from ptde_core.storage.whole_file import write_text

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- made from results/ by docs/hooks/readme_results.py -->", "<!-- end of what is made -->"
PICTURES = {"figure8": "Win rates in training", "figure6": "QMIX and a student of QMIX_SGI in one battle"}


def readme_with_results(readme: str, root: Path) -> str:
    """The text of README.md with that part as the runs and the page of results in `root` have it."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    drawn = {name: title for name, title in PICTURES.items() if (root / f"docs/figures/{name}.png").is_file()}
    picture = next((f"![{title}](docs/figures/{name}.png)\n\n" for name, title in drawn.items()), "")
    return f"{before}{BEGIN}\n\n{head_text(report([root / 'results']))}\n\n{picture}{END}{after}"


if __name__ == "__main__":
    file = ROOT / "README.md"
    write_text(file, readme_with_results(file.read_text(encoding="utf-8"), ROOT))
