"""The file system of a folder, and whether it is a network file system.

SQLite's locks are not reliable on a network file system.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["file_system", "is_network", "network_mount"]

MOUNTS = Path("/proc/mounts")
# Types of network file systems.
NETWORK = (
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "drvfs",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "panfs",
    "prl_fs",
    "pvfs2",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "wekafs",
)
# Beginnings of the types of network file systems that run under FUSE, after `fuse.`.
NETWORK_FUSE = (
    "ceph",
    "dav",
    "gcs",
    "gluster",
    "juicefs",
    "moosefs",
    "mfs",
    "nfs",
    "rclone",
    "s3",
    "goofys",
    "smb",
    "sshfs",
    "blobfuse",
)


def file_system(path: Path, mounts: str | None = None) -> tuple[str, str]:
    """The mount point of a path and the type of its file system.

    Both are empty texts where there is no /proc/mounts. `mounts` replaces the text of /proc/mounts.
    The path need not exist yet.
    """
    text = _mounts() if mounts is None else mounts
    folder = path.resolve()
    mount = ("", "")
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(_unescaped(fields[1]))
        is_above = point == folder or point in folder.parents
        # The longest mount point counts; of two equal ones the later hides the earlier.
        if is_above and len(str(point)) >= len(mount[0]):
            mount = (str(point), fields[2])
    return mount


def is_network(mount: tuple[str, str]) -> bool:
    """Whether a mount is a network file system.

    A 9p at `/` is the local disk of a sandbox (gVisor) and counts as local.
    """
    point, kind = mount
    if kind == "9p" and point == "/":
        return False
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.").startswith(NETWORK_FUSE)
    return kind in NETWORK


def network_mount(path: Path, mounts: str | None = None) -> str:
    """The type of a path's network file system; an empty text for a local or unknown one."""
    mount = file_system(path, mounts)
    return mount[1] if is_network(mount) else ""


def _mounts() -> str:
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not on macOS and Windows
        return ""


def _unescaped(field: str) -> str:
    """A path of /proc/mounts, in which blanks and backslashes are octal numbers."""
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        field = field.replace(code, character)
    return field
