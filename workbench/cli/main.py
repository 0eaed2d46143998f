"""The command `workbench`: the group of all commands, and how errors end.

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import rich_click as click
from click.exceptions import Exit

from workbench.cli import guides, runs
from workbench.cli.completion import VARIABLE, complete, completion
from workbench.cli.evaluate import evaluate
from workbench.cli.leaks import leaks
from workbench.cli.measure import measure
from workbench.cli.settings import settings
from workbench.cli.store import store
from workbench.cli.techniques import TechniqueCommand
from workbench.cli.threshold import threshold
from workbench.errors import WorkbenchError, unknown
from workbench.runs.processes import spare_process

__all__ = ["commands", "main"]

COMMANDS = (
    *guides.COMMANDS,
    *runs.COMMANDS,
    threshold,
    measure,
    evaluate,
    leaks,
    settings,
    store,
    completion,
)
INTERRUPTED = (
    "\nInterrupted. A run that was started goes on: `workbench list` shows it, `workbench cancel "
    "RUN` stops it."
)
RUNNING = ("run", "resume")  # commands that start a run, besides those of techniques
ENDING = {"-h", "--help", "--dry-run"}  # words with which they start none
CONTEXT = {"help_option_names": ["-h", "--help"], "rich_help_config": {"theme": "default-slim"}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if VARIABLE in os.environ:
            return complete(commands, os.environ[VARIABLE])
        with commands.make_context("workbench", words) as context:
            return commands.invoke(context) or 0
    except Exit as end:
        return end.exit_code
    except click.ClickException as error:
        print(_usage_text(error), file=sys.stderr)
        return error.exit_code
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


class Commands(click.RichGroup):
    """Our commands, and one for each technique."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from workbench.techniques import technique_names

        own = [c.name for c in COMMANDS if c.name]
        first = len(guides.COMMANDS)
        return [*own[:first], *technique_names(), *own[first:]]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        return TechniqueCommand(cmd_name) if cmd_name in self.list_commands(ctx) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            raise click.UsageError(unknown("command", name, self.list_commands(ctx)), ctx)
        resolved = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing and _starts_run(*resolved):
            ctx.with_resource(spare_process())
        return resolved


@click.group(
    "workbench",
    cls=Commands,
    commands={c.name: c for c in COMMANDS},
    invoke_without_command=True,
    context_settings=CONTEXT,
)
@click.pass_context
def commands(context: click.Context) -> None:
    """Optimize AI models, measured honestly."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(2)


def _starts_run(name: str | None, command: click.Command | None, words: Sequence[str]) -> bool:
    """Whether these words look like those of a command that starts a run."""
    is_action = isinstance(command, TechniqueCommand) and words and not words[0].startswith("-")
    can_start = isinstance(command, TechniqueCommand) or name in RUNNING
    return can_start and not is_action and not set(words) & ENDING


def _usage_text(error: click.ClickException) -> str:
    """The sentences for wrong usage, with the command that they are about."""
    text = error.format_message()
    if isinstance(error, click.NoSuchOption):
        near = f" Did you mean `{error.possibilities[0]}`?" if error.possibilities else ""
        text = f"No such option `{error.option_name}`.{near}"
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "workbench"
    return f"{path}: {text}\nTry `{path} --help`."


if __name__ == "__main__":
    raise SystemExit(main())
