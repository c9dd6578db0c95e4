"""What a model learns from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A prompt, and the completion that the model is to learn, its EOS included; ``weight`` scales its loss."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)
