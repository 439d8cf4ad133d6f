"""Which partition a domain lives in: one documented, language-neutral function of its name.

The same as Kafka's default partitioner for keyed records: murmur2 (seed 0x9747b28c) of the key's UTF-8 bytes,
sign bit cleared, modulo the number of partitions. So any Kafka client, in any language, finds the same partition.
"""

from functools import lru_cache

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash of `data` as Kafka's Java client computes it, as an unsigned integer."""
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = (h * _M) & _MASK
        h ^= k
    tail = data[whole:]
    if tail:
        h ^= int.from_bytes(tail, "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=4_096)
def partition_of(domain: str, partitions: int) -> int:
    """Return the partition of `domain` (for example `acme/emea`) among `partitions`."""
    return (murmur2(domain.encode()) & 0x7FFFFFFF) % partitions
