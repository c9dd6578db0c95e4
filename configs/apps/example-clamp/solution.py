def clamp(value: int, low: int, high: int) -> int:
    """The number of the range low..high that is nearest to value."""
    if low > high:
        raise ValueError(f"low={low} exceeds high={high}")
    return max(low, min(value, high))
