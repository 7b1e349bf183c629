"""Commands that are imported when they run: whoever asks for one, or for the list of them, waits for no other."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Late", "LateGroup"]


@dataclass(frozen=True)
class Late:
    """A command, or a group of commands, and where it is.

    Attributes
    ----------
    place
        Module below ``lfr.cli``, a colon, and the function or the `typer.Typer` in it.
    help
        First paragraph of its help, which a list of commands shows without importing it.
    """

    place: str
    help: str

    def load(self) -> Any:  # noqa: ANN401 - either of the two
        """Import it."""
        module, _, name = self.place.partition(":")
        return getattr(import_module(f"lfr.cli.{module}"), name)


class LateGroup(TyperGroup):
    """A group of `Late` commands in the order of ``late``, which a subclass gives."""

    late: ClassVar[Mapping[str, Late]]

    def __init__(self, **attrs: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(**attrs)
        for name, late in self.late.items():  # in lists and for what is mistyped; they never run
            self.add_command(TyperCommand(name, help=late.help, rich_markup_mode=self.rich_markup_mode))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - as above
        """Return the name of the command that is asked for, the command, imported now, and what it is told."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.late:
            command = self._made(name, self.late[name].load())
        return name, command, rest

    def _made(self, name: str, found: Any) -> Any:  # noqa: ANN401 - as above
        """The library's command of a function or of an app, as if this group's own app had held it."""
        holder = typer.Typer(
            add_completion=False, rich_markup_mode=self.rich_markup_mode, pretty_exceptions_enable=False
        )
        holder.callback()(_nothing)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=name)
        else:
            holder.command(name)(found)
        group = get_command(holder)
        assert isinstance(group, TyperGroup)
        return group.commands[name]


def _nothing() -> None:
    pass
