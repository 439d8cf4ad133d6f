"""What every service process needs: owners, servers, telemetry and orderly shutdown."""
