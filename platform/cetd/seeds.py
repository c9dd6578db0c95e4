"""Seeds of draws, derived from what is drawn and never from who draws or when.

So a retry repeats the same draw, and a resumed run equals the uninterrupted one.
"""

import hashlib


def derive(*key: int | str) -> int:
    """A 63-bit seed from a key such as (run seed, iteration, app, sample, LLM).

    Distinct keys give independent seeds; the type of each part counts, so (1,) and ("1",) differ.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
