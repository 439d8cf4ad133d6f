"""Generate `libs/contracts/src/huntgroup` from `proto/huntgroup/<context>/v1/*.proto`.

The output is a function of the .proto files and the locked tools alone, and is committed. `--check` generates
beside it and names every file that is stale, missing or left over. Nothing here is written by hand afterwards.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = Path("proto")
PACKAGE = Path("libs/contracts/src/huntgroup")
BIN = Path(sys.executable).parent
INIT = '"""Generated from proto/{path} by `make proto`; do not edit."""\n'


def main() -> int:
    """Generate, or with --check compare; the exit code is 1 when something is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to work on")
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when stale")
    args = parser.parse_args()
    root: Path = args.root
    sources = sorted((root / PROTO).glob("huntgroup/*/v1/*.proto"))
    if not sources:
        print(f"no .proto files under {PROTO}/huntgroup/<context>/v1/", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        generated = generate(root, sources, Path(scratch))
        if args.check:
            return check(generated, root / PACKAGE)
        shutil.rmtree(root / PACKAGE, ignore_errors=True)
        shutil.copytree(generated, root / PACKAGE)
    print(f"generated {PACKAGE} from {len(sources)} .proto files")
    return 0


def generate(root: Path, sources: list[Path], scratch: Path) -> Path:
    """Run protoc over all sources into scratch and return the finished package."""
    # Imports only of google/protobuf/* come from outside: grpcio-tools carries those files.
    well_known = Path(protoc.__file__).parent / "_proto"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={root / PROTO}",
        f"--proto_path={well_known}",
        f"--plugin=protoc-gen-mypy={BIN / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={BIN / 'protoc-gen-mypy_grpc'}",
        f"--python_out={scratch}",
        f"--grpc_python_out={scratch}",
        f"--mypy_out=quiet:{scratch}",
        f"--mypy_grpc_out=quiet,only_async:{scratch}",
        *(str(source.relative_to(root / PROTO)) for source in sources),
    ]
    run = subprocess.run(command, check=False)
    if run.returncode:
        sys.exit(run.returncode)
    package = scratch / "huntgroup"
    for module in package.rglob("*_pb2_grpc.py"):
        # protoc writes an empty module for a file without services; nobody should import that.
        if "Servicer" not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)
    for folder in sorted({package, *(path.parent for path in package.rglob("*.py"))}):
        for level in (folder, *folder.parents):
            if level == scratch:
                break
            path = level.relative_to(scratch).as_posix()
            (level / "__init__.py").write_text(INIT.format(path=path))
    (package / "py.typed").touch()
    return package


def check(generated: Path, committed: Path) -> int:
    """Name every file that differs from what the sources give; 1 if there is one."""
    fresh, present = contents(generated), contents(committed)
    for name in sorted(fresh.keys() | present.keys()):
        if name not in present:
            print(f"missing: {PACKAGE / name}")
        elif name not in fresh:
            print(f"left over: {PACKAGE / name}")
        elif fresh[name] != present[name]:
            print(f"stale: {PACKAGE / name}")
    if fresh != present:
        print("run `make proto` and commit the result")
        return 1
    print(f"generated code is up to date ({len(fresh)} files)")
    return 0


def contents(package: Path) -> dict[str, bytes]:
    """Return what every generated file holds, by its path in the package."""
    return {
        path.relative_to(package).as_posix(): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


if __name__ == "__main__":
    sys.exit(main())
