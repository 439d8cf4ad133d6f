"""Settings of reporting alone, read from the environment; those of every process are `huntgroup_runtime.settings`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from huntgroup_runtime.settings import ENV_PREFIX

DAY_MS = 86_400_000
SECOND_MS = 1_000


def _interval_ms(value: int) -> int:
    if value < SECOND_MS or DAY_MS % value:
        raise ValueError("must be a second or longer and divide a day, for example 900000")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if url and not url.startswith(("sqlite:", "postgresql:")):
        raise ValueError("must be sqlite:////directory/file or postgresql://user@host:port/name")
    return value


class ReportingSettings(BaseSettings):
    """Variables: `HUNTGROUP_` + upper-case name."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    ledger_interval_ms: Annotated[int, AfterValidator(_interval_ms)] = 900_000
    """Length of the ledger's intervals; entries made before a change keep theirs."""
    reporting_database_url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("")
    """Where the ledger's rows are copied to; empty: a SQLite file beside an embedded log, else memory, which is
    filled from the journal again at every start."""
    reporting_live_views: Literal["journal", "faust"] = "journal"
    """What WatchDomain shows: the journal's own state, or what a Faust app makes of the public topics on Kafka."""
