"""What a reconstruction LLM is given, and how its answer becomes a program.

One format for all: the LLMs made here are trained on exactly it, and larger models reach it through an
OpenAI-compatible endpoint. It holds the requirements and the interface, never the tests or the source.
"""

from __future__ import annotations

import re

from cetd.data.app import Interface

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)


def reconstruction_prompt(requirements: str, interface: Interface) -> str:
    """The text that a reconstruction LLM completes with the module's source."""
    return (
        f"Write the Python module {interface.module}.py with\n{interface.text}\n"
        f"Requirements:\n{requirements}\nAnswer with the code only:\n"
    )


def program_from(completion: str) -> str:
    """The program in a completion: its first fenced block where there is one (closed or not), else all of it."""
    text = _THOUGHT.sub("", completion)
    fenced = _FENCE.search(text)
    body = fenced.group(1) if fenced else text
    return body.strip("\n").rstrip() + "\n"
