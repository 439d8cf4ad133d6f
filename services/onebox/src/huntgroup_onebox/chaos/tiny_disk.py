"""A small file system of its own that can be filled and emptied: tmpfs, mounted by root or in a user namespace."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, Self

SIZE_MB: Final = 24
BLOCK: Final = bytes(65_536)


class NoTinyDiskError(Exception):
    """No file system can be mounted here; the message says why."""


class TinyDisk:
    """Mounted at `path` while used as a context manager. Raises `NoTinyDiskError` when that cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        problem = _mount(self.path)
        if problem:
            raise NoTinyDiskError(f"the full disk needs a file system of its own: {problem}")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)  # noqa: S603, S607

    def fill(self) -> None:
        """Leave no byte."""
        try:
            with self._ballast.open("ab", buffering=0) as file:
                for size in (len(BLOCK), 4_096, 1):
                    _write_until_full(file.fileno(), BLOCK[:size])
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def make_room(self) -> None:
        """Undo `fill`."""
        self._ballast.unlink(missing_ok=True)


def enter_namespace() -> None:
    """Without root: run this program again as root of a user namespace, where it may mount; does not return then."""
    if os.geteuid() == 0:
        return
    unshare = shutil.which("unshare")
    if unshare is None:
        return
    probe = [unshare, "--user", "--map-root-user", "--mount"]
    if subprocess.run([*probe, "true"], check=False, capture_output=True).returncode == 0:  # noqa: S603
        module = [sys.executable, "-m", "huntgroup_onebox.cli"]
        os.execv(unshare, [*probe, *module, *sys.argv[1:]])  # noqa: S606


def _mount(path: Path) -> str:
    mount = shutil.which("mount")
    if mount is None:
        return "there is no mount on the PATH"
    command = [mount, "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    return "" if done.returncode == 0 else done.stderr.strip() or "mount failed"


def _write_until_full(file: int, block: bytes) -> None:
    try:
        while True:
            os.write(file, block)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
