"""`workbench clean`: delete folders of old runs that nothing else needs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from workbench.cli.console import output
from workbench.cli.options import OneOf, command, flag, run_option
from workbench.errors import RunError, StoreError, WorkbenchError

if TYPE_CHECKING:
    from workbench.cli.run_entries import RunEntry

__all__ = ["clean"]

UNDER_WAY = ("starting", "running")
GOOD = ("better", "equivalent")


@dataclass(frozen=True)
class _Registered:
    """A version of a registered model: its run, and the aliases that point at it."""

    model: str
    version: str
    run: tuple[str, str]  # name of the run, and the time of its start
    aliases: tuple[str, ...]


def _older_option() -> click.Parameter:
    text = "Age from which runs are deleted: 45m, 3h, 30d, 8w. Needed."
    return click.RichOption(["--older"], default=None, metavar="AGE", help=text)


def _keep_option() -> click.Parameter:
    text = (
        "accepted keeps runs whose verdict is better or equivalent, and of those with an accepted "
        "drop the runs that kept it; nothing keeps none of them. [default: accepted]"
    )
    kind = OneOf("kind of run", ("accepted", "nothing"))
    return click.RichOption(["--keep"], type=kind, default="accepted", help=text)


@command(
    "clean",
    _older_option,
    _keep_option,
    flag("dry_run", "Print the runs and their size; delete nothing."),
    flag("yes", "Delete without a question."),
    run_option("root"),
    panel="Runs",
)
def clean(older: str | None, keep: str, dry_run: bool, yes: bool, root: str) -> int:
    """Delete old runs.

    A run stays if it is under way, if a run that stays names it in its recipe (as start or
    teacher), or if an alias of a registered model points at it; the newest run of each task and
    model has the alias `challenger`. A quick check decides nothing, and so it is not accepted.
    """
    from workbench.cli.run_entries import read_entries, seconds_of
    from workbench.runs.folders import runs_root

    if older is None:
        raise WorkbenchError("Name an age: `workbench clean --older 30d --dry-run`.")
    least = seconds_of(older, "--older")
    entries = read_entries(root)
    old = [entry for entry in entries if entry.age_seconds >= least]
    reasons = _reasons(old, entries, keep, runs_root(root)) if old else {}
    chosen = [entry for entry in old if entry.folder not in reasons]
    _print_plan(old, chosen, reasons, older, str(runs_root(root)))
    if dry_run or not chosen:
        return 0
    if not yes and not sys.stdin.isatty():
        raise WorkbenchError("Nothing was deleted: there is no terminal to ask in. Add `--yes`.")
    if not yes and not click.confirm(f"Delete {_runs(len(chosen))}?"):
        print("Nothing was deleted.")
        return 0
    n_deleted = sum(_delete(entry) for entry in chosen)
    print(f"Deleted {_runs(n_deleted)}. `workbench store rebuild` removes them from the store.")
    return 0


def _print_plan(
    old: list[RunEntry],
    chosen: list[RunEntry],
    reasons: Mapping[Path, str],
    older: str,
    root: str,
) -> None:
    from workbench.cli.run_entries import age_text
    from workbench.system.wording import bytes_text

    out = output()

    def say(text: str) -> None:
        out.print(text, soft_wrap=True, markup=False, highlight=False)

    say(f"Runs in {root} that are older than {older}: {len(old)}")
    total = 0
    for entry in old:
        if entry.folder in reasons:
            say(f"  stays   {entry.name}  ({reasons[entry.folder]})")
        else:
            size = _size_bytes(entry.folder)
            total += size
            say(f"  delete  {entry.name}  ({age_text(entry.age_seconds)}, {bytes_text(size)})")
    say(f"To delete: {_runs(len(chosen))}, {bytes_text(total)}")


def _runs(number: int) -> str:
    return f"{number:,} run" if number == 1 else f"{number:,} runs"


def _reasons(
    old: list[RunEntry], entries: list[RunEntry], keep: str, root: Path
) -> dict[Path, str]:
    """The reason of each old run that stays, by its folder."""
    reasons: dict[Path, str] = {}
    registered, unread = _registered(old, root)
    for entry in old:
        reason = _own_reason(entry, keep) or unread.get(_store_of(entry, root), "")
        aliases = [
            f"{version.model}@{alias}"
            for version in registered
            for alias in version.aliases
            if version.run == _identity(entry)
        ]
        if aliases and not reason:
            reason = f"the alias {', '.join(aliases)} points at it"
        if reason:
            reasons[entry.folder] = reason
    stays = [e for e in entries if e not in old or e.folder in reasons]
    while stays:  # runs that stay need the runs that their recipes name
        needed = {
            other.folder: (other, f"{entry.name} starts from it")
            for entry in stays
            for other in _named_by(entry, old, registered)
            if other.folder not in reasons and other is not entry
        }
        reasons |= {folder: reason for folder, (_, reason) in needed.items()}
        stays = [other for other, _ in needed.values()]
    return reasons


def _own_reason(entry: RunEntry, keep: str) -> str:
    if entry.folder.is_symlink():
        return "its folder is a link"
    if entry.tree is None or not entry.about:
        return "its files cannot be read, so it may be no run"
    if entry.status in UNDER_WAY:
        return f"it is {entry.status}"
    verdict, _ = entry.judged
    if keep != "accepted" or verdict is None or entry.is_quick:
        return ""
    if entry.limit:
        return "its accepted drop is kept" if entry.limit == "kept" else ""
    return f"its result is {verdict.decision}" if verdict.decision in GOOD else ""


def _named_by(
    entry: RunEntry, others: list[RunEntry], registered: list[_Registered]
) -> Iterator[RunEntry]:
    """The runs that a recipe names: by a folder, or by a registered model."""
    texts = set(_texts(entry.tree or {}))
    models = {text for text in texts if text.startswith("models:/")}
    names = {
        version.run
        for version in registered
        for end in (f"/{version.version}", *(f"@{alias}" for alias in version.aliases))
        if f"models:/{version.model}{end}" in models
    }
    started_in = Path(str(entry.about.get("started_in", "")))
    paths = {path for text in texts - models if (path := _resolved(started_in, text)) is not None}
    for other in others:
        folder = other.folder.resolve()
        if _identity(other) in names or any(p == folder or folder in p.parents for p in paths):
            yield other


def _resolved(started_in: Path, text: str) -> Path | None:
    """A text as an absolute path, as the run read it; None for text that is no path."""
    if not text or "\n" in text:
        return None
    try:
        return (started_in / Path(text).expanduser()).resolve()
    except (OSError, ValueError, RuntimeError):
        return None


def _texts(tree: Any) -> Iterator[str]:
    """All texts of a recipe."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from _texts(value)


def _identity(entry: RunEntry) -> tuple[str, str]:
    return str(entry.about.get("name", "")), repr(entry.created)


def _store_of(entry: RunEntry, root: Path) -> str:
    from workbench.store.client import store_url

    try:
        return store_url(str(entry.about.get("store", "")), root)
    except StoreError as error:
        return str(error)


def _registered(old: list[RunEntry], root: Path) -> tuple[list[_Registered], dict[str, str]]:
    """Versions of the stores of these runs, and the stores that cannot be read, each with a reason.

    A database that does not exist holds no version and is not made.
    """
    from workbench.store.client import file_of, shown_url

    versions: list[_Registered] = []
    unread: dict[str, str] = {}
    for url in dict.fromkeys(_store_of(entry, root) for entry in old):
        try:
            if not url.startswith("sqlite") or file_of(url).exists():
                versions += _versions(url)
        except StoreError:
            unread[url] = f"its store {shown_url(url)} cannot be read, so its aliases are unknown"
    return versions, unread


def _versions(url: str) -> list[_Registered]:
    from workbench.store.client import open_store

    with open_store(url) as client:
        versions = []
        for model in client.search_registered_models():
            aliases = client.get_registered_model(model.name).aliases
            for version in client.search_model_versions(f"name = '{model.name}'"):
                of_version = tuple(a for a, v in aliases.items() if str(v) == str(version.version))
                tags = version.tags
                run = (tags.get("workbench.run", ""), tags.get("workbench.created", ""))
                made = _Registered(model.name, str(version.version), run, of_version)
                versions.append(made)
        return versions


def _size_bytes(folder: Path) -> int:
    """Bytes of the files in a folder; links count as links."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_symlink() or p.is_file())


def _delete(entry: RunEntry) -> bool:
    """Delete a run's folder, unless it was resumed meanwhile; returns whether it is gone.

    `run.json` goes first, so that an interrupted deletion leaves no half of a run in the list.
    """
    from workbench.runs.handle import Run

    if Run(entry.folder).status in UNDER_WAY:
        print(f"{entry.name} is under way again, and stays.", file=sys.stderr)
        return False
    try:
        (entry.folder / "run.json").unlink()
        shutil.rmtree(entry.folder)
    except OSError as error:
        raise RunError(
            f"{entry.folder} cannot be deleted ({error.strerror or error}): change its rights, or "
            "delete it yourself."
        ) from error
    return True
