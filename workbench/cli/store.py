"""`workbench store`: where the index of runs lies, and making it again."""

from __future__ import annotations

import rich_click as click

from workbench.cli.options import ARGUMENT, OneOf, command, run_option

__all__ = ["store"]


def _action_argument() -> click.Parameter:
    kind = OneOf("action of `store`", ("rebuild", "where"))
    text = "rebuild records all run folders again; where prints the place."
    return click.RichArgument(["action"], type=kind, help=text, panel=ARGUMENT)


@command("store", _action_argument, run_option("store"), run_option("root"), panel="Tools")
def store(action: str, store: str, root: str) -> None:
    """Show the store of runs, or rebuild it from the run folders."""
    from workbench.runs.folders import run_folders, runs_root
    from workbench.store.index import rebuild, shown_url, store_url
    from workbench.store.pending import settle

    home = runs_root(root)
    print(f"Store: {shown_url(store_url(store, home))}")
    settle(home)
    if action == "rebuild":
        print(f"Recorded {rebuild(run_folders(root), store, home)} runs.")
