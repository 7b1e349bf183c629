"""Imports are light, follow the layers, and every module says what it offers."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import lfr
from lfr import models

PACKAGE = Path(lfr.__file__).parent
# Alembic reads its scripts by name; nobody imports from them.
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py" and "migrations" not in path.parts
)
HEAVY = {
    "cv2",
    "matplotlib",
    "mlflow",
    "onnx",
    "onnxruntime",
    "openvino",
    "pandas",
    "ray",
    "scipy",
    "sqlalchemy",
    "torch",
}

_PRINT_MODULES = "print(*{n.split('.')[0] for n in sys.modules})"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, cwd=PACKAGE.parent, check=False)


@pytest.mark.parametrize("module", ["lfr", "lfr.cli", "lfr.errors", "lfr.types", "lfr.settings"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    result = run(sys.executable, "-c", f"import sys, {module}; {_PRINT_MODULES}")
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert "lfr" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("module", ["api", "camera_actor", "detector", "embedder", "matcher", "steward"])
def test_no_part_of_the_service_needs_torch(module: str) -> None:
    name = f"lfr.serving.{module}"
    result = run(sys.executable, "-c", f"import sys, {name}; print(*{{n.split('.')[0] for n in sys.modules}})")
    assert result.returncode == 0, result.stderr
    assert set(result.stdout.split()) & {"torch", "onnx", "mlflow", "matplotlib"} == set()


def test_what_lfr_models_imports_when_asked_is_there() -> None:
    assert all(getattr(models, name) is not None for name in models.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = models.nothing


def test_the_client_needs_what_its_dependency_group_says_and_nothing_else() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    (httpx,) = project["dependency-groups"]["client"]
    assert httpx.startswith("httpx>=")
    assert httpx in project["project"]["dependencies"]
    client, alone = (
        run(sys.executable, "-c", f"import sys, {module}; {_PRINT_MODULES}") for module in ("lfr.client", "httpx")
    )
    assert client.returncode == 0, client.stderr
    assert set(client.stdout.split()) - set(alone.stdout.split()) - set(sys.stdlib_module_names) == {"lfr"}


def test_the_layers_hold() -> None:
    result = run(sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c([])")
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_a_module_lists_what_it_offers_and_has_it(path: Path) -> None:
    module = ast.parse(path.read_text(encoding="utf-8"))
    bound, offered = set(), None
    for node in _statements(module):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
            bound |= names
            if "__all__" in names:
                assert node.value is not None
                offered = ast.literal_eval(node.value)
    assert offered is not None, "no __all__"
    assert set(offered) - bound == set()
    assert len(set(offered)) == len(offered)


def _statements(module: ast.Module) -> Iterator[ast.stmt]:
    """Yield a module's statements, and what it shows a type checker only, because it imports that when asked."""
    for node in module.body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from node.body
        yield node
