"""Precision follows from the device."""

from __future__ import annotations

import pytest

from cetd.training.precision import choose


@pytest.mark.parametrize(
    ("capability", "expected"),
    [(None, "fp32"), ((6, 1), "fp32"), ((7, 0), "fp16"), ((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")],
)
def test_auto_takes_what_the_device_is_fast_at(capability: tuple[int, int] | None, expected: str) -> None:
    assert choose("auto", capability) == expected


def test_what_is_asked_for_is_taken_where_the_device_has_it() -> None:
    assert choose("fp16", (6, 1)) == "fp16"
    assert choose("fp32", (9, 0)) == "fp32"
    assert choose("bf16", None) == "bf16"


@pytest.mark.parametrize(("wanted", "capability", "said"), [("bf16", (6, 1), "6.1 has none"), ("fp16", None, "a CPU")])
def test_what_the_device_has_not_is_refused(wanted, capability, said) -> None:
    with pytest.raises(ValueError, match=f"precision={wanted}: .*{said}"):
        choose(wanted, capability)
