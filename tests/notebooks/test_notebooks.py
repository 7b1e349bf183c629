"""Every notebook runs from its parameters, keeps no output in the repository, and defines nothing of its own."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import nbformat
import papermill
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that the faces are embedded once, as for whoever works with them."""
    return tmp_path_factory.mktemp("notebooks") / "lfr-data"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_parameters(path: Path, home: Path, tmp_path: Path) -> None:
    parameters = {"home": str(home)}
    if any("output = " in cell.source for cell in cells(path)[:1]):
        parameters["output"] = str(tmp_path / "written")
    done = papermill.execute_notebook(
        path, tmp_path / path.name, parameters=parameters, progress_bar=False, cwd=tmp_path
    )
    shown = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in shown), "no figure was drawn"
    assert not [output for output in shown if output.output_type == "error"]
    if "output" in parameters:
        assert list((tmp_path / "written").iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_a_narrative_without_outputs_or_functions(path: Path) -> None:
    code = cells(path)
    assert [cell for cell in code if "parameters" in cell.metadata.get("tags", [])] == code[:1]
    for cell in code:
        assert (cell.outputs, cell.execution_count) == ([], None)
        lines = [line for line in cell.source.splitlines() if not line.startswith("%")]
        defined = [
            node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        assert defined == []
    assert nbformat.read(path, 4).cells[0].cell_type == "markdown"


def test_fairness_runs_on_lfw_with_parameters_changed_only(home: Path, tmp_path: Path) -> None:
    data = os.environ.get("LFR_EVAL_DATA")
    if not data:
        pytest.skip("LFR_EVAL_DATA is not set: LFW is needed")
    path = next(path for path in NOTEBOOKS if path.stem.startswith("03"))
    words = {"dataset": "lfw", "root": f"{data}/lfw", "by": "sex"}
    assert set(words) <= {node.targets[0].id for node in ast.parse(cells(path)[0].source).body}
    # Running it on the whole takes minutes of embedding; test_notebooks is not the place.
    few = tmp_path / "few"
    for person in sorted((Path(data) / "lfw" / "images").iterdir())[:60]:
        (few / "images").mkdir(parents=True, exist_ok=True)
        (few / "images" / person.name).symlink_to(person)
    (few / "demographics.csv").symlink_to(Path(data) / "lfw" / "demographics.csv")
    papermill.execute_notebook(
        path, tmp_path / path.name, parameters={**words, "root": str(few), "home": str(home)}, progress_bar=False
    )
