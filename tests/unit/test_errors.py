"""The error tree is what its docstring draws."""

from __future__ import annotations

import re

import pytest

from lfr import errors

BRANCH = re.compile(r"^    (?P<lines>[│├└─ ]*)(?P<name>\w+Error) +(?P<meaning>\S.*)$", re.MULTILINE)


def drawn() -> dict[str, tuple[str, str]]:
    """Name, parent and meaning of each error in the drawing."""
    assert errors.__doc__ is not None
    path: list[str] = []
    tree = {}
    for match in BRANCH.finditer(errors.__doc__):
        depth = len(match["lines"]) // 4
        path = [*path[:depth], match["name"]]
        tree[match["name"]] = (path[-2] if depth else "Exception", match["meaning"])
    return tree


def test_every_error_is_drawn_and_every_drawn_error_is_there() -> None:
    assert sorted(drawn()) == sorted(errors.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_an_error_stands_under_the_parent_it_is_drawn_under(name: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, errors.LfrError)
    assert error.__base__.__name__ == drawn()[name][0]


@pytest.mark.parametrize("name", errors.__all__)
def test_an_error_says_in_its_docstring_what_the_drawing_says(name: str) -> None:
    said = getattr(errors, name).__doc__.rstrip(".")
    assert said.lower() == drawn()[name][1].lower()
