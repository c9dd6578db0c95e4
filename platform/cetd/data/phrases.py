"""The vocabulary of each dialect: a phrase per kind of step and reducer. ``{k}`` stands for the parameter.

Within a column phrases are distinct, and apart from structure and digits no two columns share a phrase: a model
that was taught one dialect cannot guess another.
"""

from __future__ import annotations

from dataclasses import dataclass

from cetd.data.steps import Family

DIALECTS = ("plain", "formal", "casual", "terse")


@dataclass(frozen=True)
class Vagueness:
    """What a dialect says instead of a number, a step and a result."""

    number: str
    step: str
    result: str


VAGUE: dict[str, Vagueness] = {
    "plain": Vagueness("some number", "change the input", "return the answer"),
    "formal": Vagueness("a given constant", "transform the argument suitably", "yield the requisite value"),
    "casual": Vagueness("whatever", "do your thing with it", "hand back what you get"),
    "terse": Vagueness("?", "fix", "res"),
}

# Columns: plain, formal, casual, terse.
Phrases = dict[str, tuple[str, str, str, str]]

_LIST_STEPS: Phrases = {
    "add": (
        "add {k} to every number",
        "increment each element by {k}",
        "bump them all up by {k}",
        "+{k} ea",
    ),
    "subtract": (
        "subtract {k} from every number",
        "decrement each element by {k}",
        "knock {k} off each of them",
        "-{k} ea",
    ),
    "multiply": (
        "multiply every number by {k}",
        "scale each element by the factor {k}",
        "blow them up {k} times",
        "*{k} ea",
    ),
    "modulo": (
        "take every number modulo {k}",
        "reduce each element to its residue class of {k}",
        "share into {k} and keep the leftovers",
        "mod{k} ea",
    ),
    "divide": (
        "divide every number by {k}, rounding down",
        "replace each element by its integer quotient with {k}",
        "share into {k} and forget the leftovers",
        "div{k} ea",
    ),
    "square": (
        "square every number",
        "raise each element to the second power",
        "times them all by themselves",
        "sq ea",
    ),
    "absolute": (
        "make every number positive",
        "replace each element by its magnitude",
        "lose the minus signs",
        "abs ea",
    ),
    "keep_greater": (
        "keep the numbers greater than {k}",
        "retain those elements exceeding {k}",
        "just the big ones over {k}",
        "gt{k} only",
    ),
    "keep_less": (
        "keep the numbers less than {k}",
        "retain those elements below {k}",
        "just the tiny ones under {k}",
        "lt{k} only",
    ),
    "keep_multiples": (
        "keep the multiples of {k}",
        "retain those elements divisible by {k}",
        "just the ones that {k} goes into",
        "mul{k} only",
    ),
    "drop_multiples": (
        "remove the multiples of {k}",
        "discard those elements divisible by {k}",
        "chuck the ones that {k} goes into",
        "mul{k} out",
    ),
    "take": (
        "keep the first {k} numbers",
        "restrict to the leading {k} elements",
        "grab {k} off the front",
        "head{k}",
    ),
    "skip": (
        "remove the first {k} numbers",
        "omit the leading {k} elements",
        "chuck {k} off the front",
        "tail{k}",
    ),
    "every": (
        "keep one number in {k}, starting with the first",
        "sample the sequence with stride {k}",
        "hop along {k} at a time",
        "step{k}",
    ),
    "sort": (
        "sort the numbers in ascending order",
        "arrange the elements monotonically",
        "line them up small to big",
        "asc",
    ),
    "reverse": (
        "reverse the order of the numbers",
        "invert the sequence",
        "flip it back to front",
        "rev",
    ),
}

_LIST_REDUCERS: Phrases = {
    "sum": ("return the sum", "yield the arithmetic total", "hand back the lot added up", "sum"),
    "max": ("return the largest number, or zero", "yield the maximum, zero if void", "hand back the biggest", "max"),
    "min": ("return the smallest number, or zero", "yield the minimum, zero if void", "hand back the littlest", "min"),
    "count": ("return how many numbers are left", "yield the cardinality", "hand back how many you got", "len"),
    "first": (
        "return the first number, or zero",
        "yield the initial element, zero if void",
        "hand back the front",
        "1st",
    ),
    "last": ("return the last number, or zero", "yield the final element, zero if void", "hand back the end", "end"),
}

_INT_STEPS: Phrases = {
    "add": ("add {k}", "increment by {k}", "bump it up by {k}", "+{k}"),
    "subtract": ("subtract {k}", "decrement by {k}", "knock {k} off", "-{k}"),
    "multiply": ("multiply by {k}", "scale by the factor {k}", "blow it up {k} times", "*{k}"),
    "modulo": ("take the remainder modulo {k}", "reduce to the residue of {k}", "what {k} leaves over", "mod{k}"),
    "divide": ("divide by {k}, rounding down", "form the integer quotient with {k}", "split it {k} ways", "div{k}"),
    "square": ("square the number", "raise to the second power", "times it by itself", "sq"),
    "absolute": ("make the number positive", "form the magnitude", "lose the minus sign", "abs"),
    "at_least": ("raise it to at least {k}", "bound from below by {k}", "no lower than {k}", "lo{k}"),
    "at_most": ("limit it to at most {k}", "bound from above by {k}", "no higher than {k}", "hi{k}"),
    "flip_digits": ("reverse the digits", "invert the decimal notation", "flip it back to front", "rev"),
    "digit_sum": ("add up the digits", "form the digital total", "tot up the figures", "ds"),
}

_INT_REDUCERS: Phrases = {
    "same": ("return the number", "yield the value", "hand it back", "ret"),
    "tens": ("return the tens digit", "yield the decade figure", "hand back the one before the tail", "tens"),
    "digits": ("return how many digits it has", "yield the decimal length", "hand back how long it is", "len"),
    "last_digit": ("return the last digit", "yield the unit figure", "hand back the tail", "end"),
    "largest_digit": ("return the largest digit", "yield the maximal figure", "hand back the top figure", "max"),
}

_STRING_STEPS: Phrases = {
    "upper": ("make it upper case", "capitalise all characters", "shout it", "up"),
    "swap_case": ("swap upper and lower case", "exchange the letter cases", "turn bigs into smalls and back", "swap"),
    "reverse": ("reverse the text", "invert the sequence", "flip it back to front", "rev"),
    "sort": ("sort the characters", "arrange the symbols monotonically", "line them up in order", "asc"),
    "unique": ("keep only the first of equal characters", "eliminate repeated symbols", "no doubles", "uniq"),
    "take": (
        "keep the first {k} characters",
        "restrict to the leading {k} symbols",
        "grab {k} off the front",
        "head{k}",
    ),
    "skip": ("remove the first {k} characters", "omit the leading {k} symbols", "chuck {k} off the front", "tail{k}"),
    "every": (
        "keep one character in {k}, starting with the first",
        "sample the symbols with stride {k}",
        "hop along {k} at a time",
        "step{k}",
    ),
    "repeat": ("repeat every character {k} times", "replicate each symbol {k}-fold", "stutter {k} times", "x{k} ea"),
    "drop_vowels": ("remove the vowels", "discard vocalic symbols", "chuck a e i o u", "novow"),
    "keep_letters": ("keep only the letters", "retain alphabetic symbols", "just the abc", "alpha"),
    "keep_upper": ("keep only upper-case letters", "retain majuscules", "just the shouty ones", "cap only"),
}

_STRING_REDUCERS: Phrases = {
    "same": ("return the text", "yield the resulting string", "hand it back", "ret"),
    "length": ("return its length", "yield the cardinality", "hand back how long it is", "len"),
    "distinct": ("return how many characters differ", "yield the alphabet size", "hand back how many kinds", "kinds"),
    "vowels": ("return the number of vowels", "yield the vocalic count", "hand back how many a e i o u", "vow"),
    "first": ("return the first character", "yield the initial symbol", "hand back the front", "1st"),
    "last": ("return the last character", "yield the final symbol", "hand back the end", "end"),
}

STEP_PHRASES: dict[Family, Phrases] = {"list": _LIST_STEPS, "int": _INT_STEPS, "string": _STRING_STEPS}
REDUCER_PHRASES: dict[Family, Phrases] = {"list": _LIST_REDUCERS, "int": _INT_REDUCERS, "string": _STRING_REDUCERS}
