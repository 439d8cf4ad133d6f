"""Settings of agent state, beside those that every service shares."""

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from huntgroup_runtime.settings import ENV_PREFIX


class AgentStateSettings(BaseSettings):
    """How desktops are watched. Variables: `HUNTGROUP_` + upper-case name."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    desktop_heartbeat_interval_ms: int = Field(default=10_000, ge=10, le=3_600_000)
    """A desktop is asked for a sign of life this often."""
    desktop_lease_ms: int = Field(default=25_000, ge=0, le=86_400_000)
    """An agent whose desktop answers nothing for so long is signed off; 0: never (simulations without desktops)."""
    desktop_backlog_max: int = Field(default=256, ge=1, le=100_000)
    """Offers that wait for a slow desktop, at most; at this bound its stream is closed."""

    @model_validator(mode="after")
    def _fits_together(self) -> "AgentStateSettings":
        if 0 < self.desktop_lease_ms <= self.desktop_heartbeat_interval_ms:
            raise ValueError("desktop_lease_ms must be above desktop_heartbeat_interval_ms, or 0")
        return self
