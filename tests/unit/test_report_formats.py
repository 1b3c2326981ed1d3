import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker

from ptde_core.base.errors import PtdeError
from ptde_core.results.evaluation_table import evaluation_json, evaluation_tables
from ptde_core.results.formats import FORMATS, JSON_SCHEMA, render
from ptde_core.results.gather import report
from ptde_core.results.sections import report_tables
from ptde_core.results.table import Table, markdown
from tests.made_runs import (  # noqa: F401  its fixture too
    GOLDEN,
    RUNS,
    _in_an_empty_folder,
    add_run,
    check_golden,
    entry,
    many_runs,
    one_run,
    pipeline,
    played,
)


@pytest.mark.parametrize(
    ("report_format", "ending"),
    [
        ("markdown", "md"),
        ("csv", "csv"),
        ("json", "json"),
        ("latex", "tex"),
        ("html", "html"),
    ],
)
def test_every_format_against_its_golden_file(report_format: str, ending: str) -> None:
    many_runs()
    check_golden(f"report.{ending}", render(report([RUNS]), report_format))


def test_marl_eval_against_its_golden_file() -> None:
    add_run("a", [entry(z, 5, episodes=played(5, 8)) for z in ("sampled", "mean", "student")])
    check_golden("report_marl_eval.json", render(report([RUNS]), "marl-eval"))


@pytest.mark.parametrize(
    ("layout", "title"),
    [
        ("paper-table2", "The paper's Table 2 on skirmish (not SMAC), version 1"),
        ("paper-table3", "The paper's Table 3 on football, version 1"),
        ("per-run", "Every run: football, version 1"),
    ],
)
def test_every_layout_against_its_golden_file(layout: str, title: str) -> None:
    many_runs()
    text = render(report([RUNS]), "markdown", layout)
    assert text.startswith(f"## {title}")
    check_golden(f"report_{layout}.md", text)


def test_a_layout_that_does_not_fit_is_refused() -> None:
    one_run()
    found = report([RUNS])
    with pytest.raises(PtdeError, match="no counted run belongs in paper-table3: they are of skirmish"):
        render(found, "markdown", "paper-table3")
    with pytest.raises(PtdeError, match="csv holds all there is, it has no layout per-run"):
        render(found, "csv", "per-run")
    with pytest.raises(PtdeError, match="no layout named 'paper-table4'"):
        report_tables(found, "paper-table4")


def test_one_run_against_its_golden_file() -> None:
    one_run()
    check_golden("report_one_run.md", render(report([RUNS]), "markdown"))


def test_an_evaluation_against_its_golden_file() -> None:
    tables = evaluation_tables([*pipeline("3m", 1, 312, 316, 300), entry("none", 0, map="8m")])
    check_golden("evaluation.md", "\n".join(markdown(table) for table in tables))


def test_an_evaluation_as_json_says_what_its_table_says() -> None:
    value = json.loads(evaluation_json(pipeline("3m", 1, 312, 316, 300)))
    sampled, _, student = value["policies"]
    assert (sampled["wins"], sampled["played"], sampled["win_rate"], sampled["prr"]) == (312, 320, 0.975, None)
    assert student["prr"] == pytest.approx(300 / 312)
    table = (GOLDEN / "evaluation.md").read_text(encoding="utf-8")
    assert f"[{100 * student['prr_interval']['low']:.1f}, {100 * student['prr_interval']['high']:.1f}]" in table


def test_all_formats_have_a_golden_file() -> None:
    assert set(FORMATS) == {"markdown", "csv", "json", "latex", "html", "marl-eval"}


def test_json_is_strict_and_csv_has_one_line_per_score() -> None:
    many_runs()
    found = report([RUNS])
    scores = [score for section in found.sections for score in section.scores]
    value = json.loads(render(found, "json"))
    assert sum(len(section["scores"]) for section in value["sections"]) == len(scores)
    assert len(render(found, "csv").splitlines()) == 1 + len(scores)


def test_an_unknown_format() -> None:
    one_run()
    with pytest.raises(PtdeError, match="no report format named 'pdf'; choose from markdown, latex, html, csv"):
        render(report([RUNS]), "pdf")


def test_markdown_is_read_as_tables_by_a_markdown_parser() -> None:
    many_runs()
    found = report([RUNS])
    tokens = MarkdownIt().enable("table").parse(render(found, "markdown"))
    tables = report_tables(found)
    assert sum(token.type == "table_open" for token in tokens) == len(tables)
    assert sum(token.type == "td_open" for token in tokens) == sum(len(t.rows) * len(t.columns) for t in tables)


TEXTS = ("a|b", r"a\|b", r"a\\|b", "a\\", r"\\", r"[a](b)", r"[a]\(b)", "a&amp;b", r"\&lt;", "<b>")


@pytest.mark.parametrize("parser", ["markdown_it", "markdown"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_stays_itself_and_in_its_cell_in_markdown(text: str, parser: str) -> None:
    """The two parsers differ in their rules for a backslash before a line."""
    written = markdown(Table("t", ("h", "i"), ((("x" + text, "z"),),), 2))
    if parser == "markdown":
        page = pytest.importorskip("markdown", reason="comes with mkdocs").markdown(written, extensions=["tables"])
    else:
        page = MarkdownIt().enable("table").render(written)
    assert [unescape(cell) for cell in re.findall("<td[^>]*>(.*?)</td>", page)] == ["x" + text, "z"]


def test_json_holds_to_the_schema_in_the_package() -> None:
    many_runs()
    schema = json.loads(JSON_SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    value = json.loads(render(report([RUNS]), "json"))
    Draft202012Validator(schema).validate(value)
    value["sections"][0]["scores"][0]["tally"]["wins"] = -1
    assert not Draft202012Validator(schema).is_valid(value)


def test_html_is_one_file_without_an_address() -> None:
    many_runs()
    add_run("odd", [entry("none", 3, map="<script>", backend="smac")])
    found = report([RUNS])
    text = render(found, "html")
    assert text.count("<table>") == text.count("</table>") == len(report_tables(found))
    assert not re.search(r"https?:|src=|<script|@import|url\(", text)
    assert "&lt;script&gt;" in text


def test_latex_is_read_by_a_latex_parser_and_every_row_is_as_long_as_its_table() -> None:
    many_runs()
    found = report([RUNS])
    text = render(found, "latex")
    nodes, _, read = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    assert read == len(text)
    floats = [node for node in nodes if node.isNodeType(LatexEnvironmentNode) and node.environmentname == "table"]
    assert len(floats) == len(report_tables(found))
    for one, table in zip(floats, report_tables(found), strict=True):
        (tabular,) = (n for n in one.nodelist if n.isNodeType(LatexEnvironmentNode) and n.environmentname == "tabular")
        lines = [line for line in tabular.latex_verbatim().splitlines() if line.endswith(r"\\")]
        assert [line.replace(r"\&", "").count("&") for line in lines] == [len(table.columns) - 1] * (
            1 + len(table.rows)
        )


def test_marl_eval_reads_environment_task_algorithm_run_step() -> None:
    many_runs()
    value = json.loads(render(report([RUNS]), "marl-eval"))
    run = value["skirmish 1"]["3s_vs_5z"]["QMIX_SGI"]["seed_2"]
    assert list(run) == ["step_0", "absolute_metrics"]
    assert run["step_0"]["step_count"] == 2_000_100
    assert sum(run["absolute_metrics"]["win_rate"]) == 300
    assert len(run["absolute_metrics"]["return"]) == 320
    names = [name for tasks in value.values() for algorithms in tasks.values() for name in algorithms]
    assert not any("," in name for name in names)  # marl-eval refuses them


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here; a parser reads the tables above")
def test_latex_compiles(tmp_path: Path) -> None:
    many_runs()
    body = render(report([RUNS]), "latex")
    page = "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "report.tex").write_text(f"{page}{body}\\end{{document}}\n", encoding="utf-8")
    words = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "report.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_latex_escapes_and_balances() -> None:
    many_runs()
    text = render(report([RUNS]), "latex")
    body = text.partition("\n")[2]
    assert body.count(r"\begin{") == body.count(r"\end{")
    assert body.count("{") == body.count("}")
    assert r"QMIX\_SGI" in body
    assert text.isascii()
    for line in body.splitlines():
        assert "%" not in line.replace(r"\%", "")
        assert "_" not in line.replace(r"\_", "")


def test_a_table_refuses_rows_of_another_width() -> None:
    with pytest.raises(ValueError, match="not all 2 cells long"):
        Table("t", ("a", "b"), ((("1", "2"), ("3",)),), text_columns=1)
