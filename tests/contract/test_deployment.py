"""docker-compose.yml and `huntgroup cluster` start the same cluster, with settings that exist."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.cluster_command import AUDITOR, KAFKA_PORT, Cluster, grpc_port, http_port
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_runtime.settings import RuntimeSettings, load_settings

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return found


def known_variables() -> set[str]:
    classes: list[type[BaseSettings]] = [RuntimeSettings]
    for package in SERVICES.values():
        found = vars(import_module(f"{package}.settings")).values()
        classes += [one for one in found if isinstance(one, type) and issubclass(one, BaseSettings)]
    return {
        f"{one.model_config.get('env_prefix', '')}{name}".upper()
        for one in classes
        for name in one.model_fields
    }


def test_kafka_s_log_is_on_its_volume(services: dict[str, Any]) -> None:
    kafka = services["kafka"]
    assert kafka["volumes"] == [f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}"]


def test_every_variable_exists_and_can_be_used(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environments = [services[f"{name}-{n}"]["environment"] for name in SERVICES for n in (0, 1)]
    environments.append(services["auditor"]["environment"])
    for started in (("reporting", 1), (AUDITOR, 0)):
        environment = Cluster("127.0.0.1:9092", 2, tmp_path).environment(*started)
        environments.append({k: v for k, v in environment.items() if k.startswith("HUNTGROUP_")})
    for environment in environments:
        unknown = set(environment) - known_variables() - {"HUNTGROUP_KAFKA_HOME"}
        assert not unknown
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        load_settings(RuntimeSettings)
        assert load_settings(ReportingSettings).ledger_interval_ms == 4_500


def test_both_serve_on_the_same_ports(services: dict[str, Any]) -> None:
    for name in SERVICES:
        for n in (0, 1):
            ports = {port.rsplit(":", 1)[0] for port in services[f"{name}-{n}"]["ports"]}
            assert ports == {f"127.0.0.1:{grpc_port(name, n)}", f"127.0.0.1:{http_port(name, n)}"}
    assert services["auditor"]["ports"] == [f"127.0.0.1:{http_port(AUDITOR, 0)}:7480"]
    assert services["kafka"]["ports"] == [f"127.0.0.1:{KAFKA_PORT}:9092"]
