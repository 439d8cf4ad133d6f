"""What the world does to messages and records on their way: delays, losses, nodes that are cut off. By seed alone."""

import random
from dataclasses import dataclass, field

from huntgroup_onebox.sim.seeded_loop import Node


@dataclass(slots=True, kw_only=True)
class Weather:
    """The state of the network between nodes, and between nodes and the broker."""

    chance: random.Random
    cut_off: set[str] = field(default_factory=set)
    """Groups of nodes cannot reach the rest; a node's name stands for its replica, whatever its incarnation."""
    without_broker: set[str] = field(default_factory=set)
    """These hear everybody but the broker: callers go on asking them."""
    loss_per_mille: int = 0
    """Of requests, replies and acknowledgements of appends."""
    disk_full: bool = False
    """The vault takes nothing."""
    slow_per_mille: int = 0
    """Of messages and records that are late by a lot."""

    def delay_s(self) -> float:
        """Return how long a message is under way."""
        if self.slow_per_mille and self.chance.randrange(1_000) < self.slow_per_mille:
            return self.chance.uniform(0.05, 0.6)
        return self.chance.uniform(0.000_1, 0.002)

    def loses(self) -> bool:
        """Return whether a message is lost."""
        return self.loss_per_mille > 0 and self.chance.randrange(1_000) < self.loss_per_mille

    def reaches_broker(self, node: Node) -> bool:
        """Return whether a node can talk to the broker."""
        return node.name not in self.cut_off and node.name not in self.without_broker

    def connected(self, one: Node, other: Node) -> bool:
        """Return whether two nodes can talk: those that are cut off still hear each other."""
        return (one.name in self.cut_off) == (other.name in self.cut_off)
