"""The engine's states, with a clock that the test holds."""

from cetd.config import EngineLimits
from cetd.feedback.health import DEGRADED_LIMIT, EngineHealth, EngineState


def ready(**limits: float) -> EngineHealth:
    health = EngineHealth(EngineLimits.model_validate(limits))
    health.starting()
    health.ready()
    return health


def test_back_off_doubles_up_to_its_limit_and_a_completed_request_ends_the_row() -> None:
    health = ready(backoff_s=1, max_backoff_s=5)
    waits = []
    for _ in range(5):
        health.failed(now=100.0, reason="killed")
        waits.append(health.restart_at - 100.0)
        health.starting()
        health.ready()
    assert waits == [1, 2, 4, 5, 5]
    health.completed()
    health.failed(now=200.0, reason="killed")
    assert health.restart_at == 201.0
    assert health.restarts == 5


def test_late_requests_degrade_and_then_kill() -> None:
    health = ready()
    states = []
    for _ in range(DEGRADED_LIMIT):
        health.timed_out(now=1.0)
        states.append(health.state)
    assert states == [EngineState.DEGRADED, EngineState.DEGRADED, EngineState.DEAD]


def test_a_degraded_engine_serves_and_recovers() -> None:
    health = ready()
    health.timed_out(now=1.0)
    assert health.serving
    health.completed()
    assert health.state is EngineState.READY


def test_saying_twice_that_it_died_counts_once() -> None:
    health = ready(backoff_s=1)
    health.failed(now=1.0, reason="first")
    health.failed(now=50.0, reason="second")
    assert (health.reason, health.restart_at) == ("first", 2.0)
    assert not health.serving
