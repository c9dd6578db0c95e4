from cetd.evaluation.compression import Compression, compression, excerpt, general_purpose


def test_figures_are_sums_over_documents() -> None:
    found = compression(lambda texts: [list(text.encode()) for text in texts], ["é\nb", "cd\n"] * 50)
    assert found == Compression(documents=100, bytes=350, lines=150, tokens=350)
    assert (found.bytes_per_token, found.tokens_per_line) == (1.0, 350 / 150)


def test_the_general_purpose_tokenizer_spells_the_bytes_that_it_was_given() -> None:
    baseline = general_purpose()
    text = "def f(x):\n    return 'é\u2581'\n"
    [ids] = baseline.encode_batch([text])
    assert b"".join(map(baseline.spell, ids)) == text.encode()
    assert max(ids) < baseline.vocab_size == 131_072


def test_an_excerpt_is_from_the_middle_of_a_long_text() -> None:
    long = "".join(f"{number}\n" for number in range(10))
    assert excerpt(["a\nb\nc\n", long], 2) == "5\n6\n"
    assert excerpt(["a\nb\nc\n"], 2) == "a\nb\n"
