import pytest

from cetd.data.app import Interface
from cetd.data.prompts import program_from, reconstruction_prompt

PROGRAM = "def f(xs):\n    return sum(xs)\n"


def test_the_prompt_holds_the_requirements_and_the_interface():
    interface = Interface("solution", ("def f(xs: list[int]) -> int", "class Box"))
    prompt = reconstruction_prompt("<CONSTRAINT> return the sum", interface)
    for part in ("solution.py", "def f(xs: list[int]) -> int\nclass Box\n", "<CONSTRAINT> return the sum\n"):
        assert part in prompt
    assert prompt.endswith("\n")


@pytest.mark.parametrize(
    "completion",
    [
        PROGRAM,
        PROGRAM.rstrip(),
        "\n\n" + PROGRAM + "\n",
        f"```python\n{PROGRAM}```",
        f"Here it is:\n\n```python\n{PROGRAM}```\nIt adds the numbers.",
        f"```\n{PROGRAM}",
        f"  ```py\n{PROGRAM}  ```\n",
        f"<think>```\nnot this\n```</think>\n```python\n{PROGRAM}```",
        f"```python\n{PROGRAM}```\nAn example:\n```python\nf([1])\n```",
    ],
)
def test_the_program_is_found_in_a_completion(completion):
    assert program_from(completion) == PROGRAM


def test_indentation_and_backticks_inside_a_line_stay():
    text = '    x = 1\n    y = "```"\n'
    assert program_from(text) == text
