"""One suite for every vault: what the recording service may rely on, whatever the storage is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from huntgroup_recording.adapters.store import PIECE_BYTES, MemoryVault, ObjectVault, open_vault
from huntgroup_recording.app.ports import (
    ObjectMissingError,
    RecordingVault,
    StoredObject,
    VaultError,
)


@pytest.fixture(params=["memory", "directory", "object store"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> RecordingVault:
    match request.param:
        case "memory":
            return MemoryVault()
        case "directory":
            return open_vault(f"file://{tmp_path}/recordings", timeout_ms=5_000)
        case _:
            return ObjectVault(MemoryStore(), timeout_ms=5_000)


async def pieces(*data: bytes, fail: bool = False) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece
    if fail:
        raise RuntimeError("the source is gone")


async def read(vault: RecordingVault, path: str) -> list[bytes]:
    return [piece async for piece in vault.read(path)]


async def test_an_object_comes_back_as_it_was_stored(vault: RecordingVault) -> None:
    await vault.put("acme/emea/parts/rec-a/1.wav", b"hello")
    assert await vault.get("acme/emea/parts/rec-a/1.wav") == b"hello"


async def test_an_object_is_replaced(vault: RecordingVault) -> None:
    await vault.put("a/b", b"first")
    await vault.put("a/b", b"second")
    assert await vault.get("a/b") == b"second"


async def test_an_object_may_be_empty(vault: RecordingVault) -> None:
    await vault.put("a/b", b"")
    assert await vault.get("a/b") == b""
    assert await read(vault, "a/b") == []


async def test_a_big_object_is_written_and_read_in_pieces(vault: RecordingVault) -> None:
    blocks = [bytes([number]) * 100_000 for number in range(70)]
    await vault.put_stream("acme/emea/sealed/a.wav", pieces(*blocks))
    found = await read(vault, "acme/emea/sealed/a.wav")
    assert b"".join(found) == b"".join(blocks)
    assert max(map(len, found)) <= PIECE_BYTES


@pytest.mark.parametrize("from_byte", [1, PIECE_BYTES, 1_048_577, 2_999_999, 3_000_000])
async def test_an_object_is_read_from_any_byte_on(vault: RecordingVault, from_byte: int) -> None:
    data = bytes(range(250)) * 12_000
    await vault.put("a/b", data)
    assert b"".join([piece async for piece in vault.read("a/b", from_byte)]) == data[from_byte:]


async def test_an_object_appears_whole_or_not_at_all(vault: RecordingVault) -> None:
    with pytest.raises(RuntimeError, match="the source is gone"):
        await vault.put_stream("a/b", pieces(*[b"x" * 1_000_000] * 7, fail=True))
    with pytest.raises(ObjectMissingError):
        await vault.get("a/b")
    assert await vault.objects("a") == []


async def test_a_missing_object_is_told(vault: RecordingVault) -> None:
    with pytest.raises(ObjectMissingError, match="a/b"):
        await vault.get("a/b")
    with pytest.raises(ObjectMissingError):
        await read(vault, "a/b")


async def test_a_folder_lists_its_own_objects_by_path_with_their_lengths(
    vault: RecordingVault,
) -> None:
    for path in ("d/parts/r2/b", "d/parts/r2/a", "d/parts/r/c", "d/parts/r2/deeper/x"):
        await vault.put(path, path.encode())
    assert await vault.objects("d/parts/r2") == [
        StoredObject(path="d/parts/r2/a", length_bytes=12),
        StoredObject(path="d/parts/r2/b", length_bytes=12),
    ]
    assert await vault.objects("d/parts/r") == [StoredObject(path="d/parts/r/c", length_bytes=11)]
    assert await vault.objects("d/nowhere") == []


async def test_a_folder_lists_its_own_folders(vault: RecordingVault) -> None:
    for path in ("d/parts/r2/b", "d/parts/r/c", "d/parts/r/e/f", "d/sealed/x"):
        await vault.put(path, b"")
    assert await vault.folders("d/parts") == ["r", "r2"]
    assert await vault.folders("d/nowhere") == []


async def test_what_is_deleted_is_gone_and_what_was_not_there_is_fine(
    vault: RecordingVault,
) -> None:
    for path in ("d/a", "d/b", "d/c"):
        await vault.put(path, b"x")
    await vault.delete(["d/missing", "d/a", "d/c"])
    assert [one.path for one in await vault.objects("d")] == ["d/b"]
    await vault.delete([])
    await vault.delete(["d/b"])
    assert await vault.objects("d") == []
    assert await vault.folders("") == []


async def test_names_of_contacts_with_dots_and_colons_are_kept(vault: RecordingVault) -> None:
    await vault.put("d/parts/rec-a:b..c_d.-/0001-0.wav", b"x")
    assert await vault.folders("d/parts") == ["rec-a:b..c_d.-"]
    (found,) = await vault.objects("d/parts/rec-a:b..c_d.-")
    assert await vault.get(found.path) == b"x"


async def test_a_directory_that_cannot_be_written_is_told_in_the_words_of_the_port(
    tmp_path: Path,
) -> None:
    vault = open_vault(f"file://{tmp_path}/recordings", timeout_ms=5_000)
    (tmp_path / "recordings" / "d").write_text("a file is in the way")
    with pytest.raises(VaultError, match="d/a"):
        await vault.put("d/a", b"x")
    with pytest.raises(VaultError):
        await vault.put_stream("d/a", pieces(b"x"))


async def test_storage_that_does_not_answer_in_time_has_failed(tmp_path: Path) -> None:
    vault = ObjectVault(MemoryStore(), timeout_ms=0)
    with pytest.raises(VaultError, match="in time"):
        await vault.put("d/a", b"x")


def test_a_vault_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(VaultError):
        open_vault(f"file://{tmp_path}/file/recordings", timeout_ms=5_000)
