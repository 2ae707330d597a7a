"""How somebody runs whorl: what changes no number, except the seed and the weights of networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from whorl import memory
from whorl.compare import DEFAULT_BLOCK_BYTES, Progress, silent
from whorl.learning.effort import Effort
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.store import Store, sweep


@dataclass(frozen=True, eq=False)
class Running:
    """How to run: seed, where pieces are kept, bytes of a block and in all, who does it, who watches."""

    seed: int = 0
    store: Path | None = None
    block_bytes: int = DEFAULT_BLOCK_BYTES
    executor: str = "here"
    workers: int = 0
    strict: bool = False
    progress: Progress = silent
    command: str = ""
    networks: Networks = field(default_factory=Networks)
    keep_features: bool = False
    memory: int | None = None
    effort: Effort = "full"

    def total(self) -> int:
        """Return the bytes that may be taken in all."""
        return self.memory or memory.half_of_free()

    def spill_bytes(self) -> int:
        """Return the bytes of one set above which it lies in a temporary file."""
        return memory.spill(self.total())

    def settings(self) -> Settings:
        """Return the pipeline's part of it, the store swept of what a killed run left."""
        if self.store is not None:
            sweep(self.store)
        total = self.total()
        return Settings(
            seed=self.seed,
            block_bytes=memory.block(total, self.block_bytes),
            shelf=memory.shelf(total),
            spill_bytes=memory.spill(total),
            store=Store(self.store) if self.store else None,
            progress=self.progress,
            networks=self.networks,
            keep_features=self.keep_features,
        )
