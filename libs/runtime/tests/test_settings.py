"""Settings: a bad value names the variable, the value and the rule."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from huntgroup_runtime.process import run_service
from huntgroup_runtime.settings import RuntimeSettings, SettingsError, load_settings


def test_the_defaults_fit_one_machine() -> None:
    settings = load_settings(RuntimeSettings)
    assert settings.log_url.startswith("embedded://")
    assert settings.otlp_endpoint == ""
    assert load_settings(RuntimeSettings).owner_id != settings.owner_id, "each run has a name"


def test_variables_are_read_and_empty_ones_are_as_if_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUNTGROUP_LOG_URL", "kafka://127.0.0.1:9092,127.0.0.2:9092")
    monkeypatch.setenv("HUNTGROUP_LINGER_MS", "3")
    monkeypatch.setenv("HUNTGROUP_OWNER_ID", "")
    settings = load_settings(RuntimeSettings)
    assert settings.log_url == "kafka://127.0.0.1:9092,127.0.0.2:9092"
    assert settings.linger_ms == 3
    assert settings.owner_id


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(RuntimeSettings).linger_ms = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("LOG_URL", "redis://x", "must be memory://, embedded:///directory or kafka://"),
        ("LOG_URL", "kafka://broker", "host:port"),
        ("LOG_URL", "embedded:///", "embedded:///directory"),
        ("GRPC_LISTEN", "7400", "must be host:port"),
        ("HTTP_LISTEN", "127.0.0.1:70000", "0 (choose a free one) to 65535"),
        ("LINGER_MS", "soon", "valid integer"),
        ("LINGER_MS", "-1", "greater than or equal to 0"),
        ("BATCH_BYTES_CLOSING", "999999", "less than or equal to 262144"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning', 'error' or 'critical'"),
        ("SNAPSHOT_URL", "somewhere", "file:///directory or s3://bucket/prefix"),
    ],
)
def test_a_bad_value_names_variable_value_and_rule(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, rule: str
) -> None:
    monkeypatch.setenv(f"HUNTGROUP_{variable}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings(RuntimeSettings)
    assert str(caught.value).startswith(f"HUNTGROUP_{variable}={value!r}: ")
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("together", "rule"),
    [
        ({"replica_index": 2, "replica_count": 2}, "replica_index must be below replica_count"),
        ({"heartbeat_ms": 900, "takeover_after_ms": 1_000}, "at least 2 × heartbeat_ms"),
        ({"heartbeat_ms": 0, "replica_count": 2}, "only when replica_count is 1"),
        ({"grpc_deadline_ms": 61_000}, "must not exceed grpc_deadline_ms_max"),
        ({"grpc_listen": "0.0.0.0:7400", "replica_count": 2}, "grpc_advertised must say where"),
    ],
)
def test_values_must_fit_together(together: dict[str, object], rule: str) -> None:
    with pytest.raises(SettingsError, match=rule):
        load_settings(RuntimeSettings, **together)


def test_all_bad_values_are_told_at_once_and_secrets_never() -> None:
    class ServiceSettings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="HUNTGROUP_VAULT_")
        key: SecretStr
        ring_timeout_ms: int

    with pytest.raises(SettingsError) as caught:
        load_settings(ServiceSettings, key=7, ring_timeout_ms="x")
    first, second = str(caught.value).split("\n")
    assert first.startswith("HUNTGROUP_VAULT_KEY=***: ")
    assert second.startswith("HUNTGROUP_VAULT_RING_TIMEOUT_MS='x': ")


def test_a_service_with_a_bad_setting_ends_with_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def wire(_: object) -> None:
        raise AssertionError("nothing is wired")

    monkeypatch.setenv("HUNTGROUP_LOG_URL", f"embedded://{tmp_path}")
    monkeypatch.setenv("HUNTGROUP_DRAIN_MS", "long")
    assert run_service("routing", wire) == 2
    assert capsys.readouterr().err.startswith("routing: HUNTGROUP_DRAIN_MS='long': ")
