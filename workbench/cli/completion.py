"""`workbench completion`: the script by which a shell completes commands, options and values."""

from __future__ import annotations

import rich_click as click
from click.shell_completion import get_completion_class, shell_complete

from workbench.cli.options import ARGUMENT, OneOf, command
from workbench.errors import WorkbenchError, required

__all__ = ["VARIABLE", "complete", "completion"]

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_WORKBENCH_COMPLETE"  # how the script tells the command to complete, not to run
HELP = """Print the script that completes commands, options and values in a shell.

\b
bash  eval "$(workbench completion bash)"               in ~/.bashrc
zsh   eval "$(workbench completion zsh)"                in ~/.zshrc
fish  workbench completion fish > ~/.config/fish/completions/workbench.fish
"""


def _shell_argument() -> click.Parameter:
    text = f"One of {', '.join(SHELLS)}."
    return click.RichArgument(["shell"], type=OneOf("shell", SHELLS), help=text, panel=ARGUMENT)


@command("completion", _shell_argument, panel="Tools")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and values in a shell."""
    shell_class = required(get_completion_class(shell))
    script = shell_class(context.find_root().command, {}, "workbench", VARIABLE)
    print(script.source())


completion.help = HELP


def complete(group: click.Command, instruction: str) -> int:
    """Answer a shell's request, which comes in environment variables; returns the exit status.

    An error is not told, as it would be printed into the line that is being typed.
    """
    try:
        return shell_complete(group, {}, "workbench", VARIABLE, instruction)
    except WorkbenchError:
        return 1
