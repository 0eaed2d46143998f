"""Which file system a folder lies on, and whether it is reached over a network (where SQLite's
locks do not hold).
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["file_system", "is_network", "network_mount"]

MOUNTS = Path("/proc/mounts")
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
    """The mount point that holds a path and the type of its file system; two empty texts where
    there is no /proc/mounts.

    `mounts` stands in for the text of /proc/mounts. The path need not exist yet.
    """
    text = _mounts() if mounts is None else mounts
    where, found = path.resolve(), ("", "")
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(_plain(fields[1]))
        if (point == where or point in where.parents) and len(str(point)) >= len(
            found[0]
        ):  # of equals, the last is on top
            found = (str(point), fields[2])
    return found


def is_network(mount: tuple[str, str]) -> bool:
    """Whether a mount is reached over a network; a 9p at `/` is a sandbox's own disk (gVisor) and
    counts as local.
    """
    point, kind = mount
    if kind == "9p" and point == "/":
        return False
    return kind in NETWORK or (kind.startswith("fuse.") and kind[5:].startswith(NETWORK_FUSE))


def network_mount(path: Path, mounts: str | None = None) -> str:
    """The type of the network file system that holds a path, or an empty text for a local or
    unknown one.
    """
    mount = file_system(path, mounts)
    return mount[1] if is_network(mount) else ""


def _mounts() -> str:
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not on macOS and Windows
        return ""


def _plain(field: str) -> str:
    """A path as it is: the kernel writes blanks in it as octal numbers."""
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        field = field.replace(code, character)
    return field
