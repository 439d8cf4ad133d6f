"""The one command, `huntgroup`, and its verbs."""

import argparse
import sys
from collections.abc import Sequence

from huntgroup_onebox import (
    bench_command,
    chaos_command,
    cluster_command,
    demo_command,
    events_command,
    explain_command,
    policy_command,
    serve_command,
    shadow_command,
    sim_command,
    simulate_command,
    verify_command,
)
from huntgroup_runtime.settings import SettingsError

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT = 0, 1, 2

VERBS = (
    demo_command,
    serve_command,
    cluster_command,
    verify_command,
    events_command,
    explain_command,
    policy_command,
    shadow_command,
    bench_command,
    chaos_command,
    simulate_command,
    sim_command,
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    made = argparse.ArgumentParser(
        prog="huntgroup", description="An open contact-centre core: five services on one log."
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_parser(verbs)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return its exit code: 0 done, 1 failed, 2 bad input (standard error says what)."""
    chosen = parser().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except SettingsError as error:
        sys.stderr.write(f"huntgroup {chosen.verb}: {error}\n")
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_OK
    return code


if __name__ == "__main__":
    sys.exit(main())
