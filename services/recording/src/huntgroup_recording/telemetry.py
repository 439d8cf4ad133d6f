"""The happenings of the recording service that operators watch for in its logs, by name.

Calls, commands by outcome, journal and relay are measured for every service alike (`huntgroup_runtime.metrics`);
gaps and absences are events, and counted from there.
"""

from typing import Final

AUDIO_LOST: Final = "recording.audio.lost"
"""A part could not be stored and is lost; fields recording_id, error. A gap follows."""
GAP_UNTOLD: Final = "recording.gap.untold"
"""A gap could not be noted when its stream ended; fields recording_id, error. It is noted when the file is made."""
STORAGE_FAILED: Final = "recording.storage.failed"
"""The storage could not be read or written; fields what, name, error.

What: `seal` and `tidy up` are tried again until done; `resume` when the gateway opens its stream again.
"""
PARTS_ORPHANED: Final = "recording.parts.orphaned"
"""There are parts of a recording that nobody knows; fields domain, contact_id. They are left alone."""
EFFECT_FAILED: Final = "recording.effect.failed"
"""A bug ended the sealing or tidying up of a recording; it is begun again by the next owner."""
