"""What phases 1 and 2 learn from: how rows are made of documents of code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cetd.config.section import Fraction, Natural, Positive, Section

Severity = Annotated[int, Field(ge=0, le=4)]


class Phase1Config(Section):
    """Subject expertise: a requirement, candidate sections of code, and which of them it is about."""

    # No more than there are labels, of one letter each.
    candidates: Annotated[int, Field(ge=2, le=9)] = Field(default=8, description="sections to choose from, at most")
    none_share: Fraction = Field(default=0.2, description="share of rows whose true section is taken away")
    missed_share: Fraction = Field(
        default=0.2,
        description="share kept of rows whose true section BM25 misses; 1 makes the last place the best guess",
    )
    min_words: Positive = Field(default=4, description="words that a requirement has at least")
    requirement_chars: Positive = Field(default=240, description="longest requirement; a longer one is cut")
    section_chars: Positive = Field(default=80, description="longest section; a longer one is cut")
    max_chars: Annotated[int, Field(ge=400)] = Field(
        default=2400, description="longest input; sections are cut further where it asks for it"
    )

    @model_validator(mode="after")
    def _requirement_leaves_room(self) -> Phase1Config:
        if self.requirement_chars * 2 > self.max_chars:
            raise ValueError(
                f"requirement_chars={self.requirement_chars}: leaves no room for sections in "
                f"max_chars={self.max_chars}; set it to {self.max_chars // 2} or less"
            )
        return self


class Phase2Config(Section):
    """Context transformation: a poor context, and the structured requirements that an excellent one would be.

    Severities, each with all that the ones below it do: 0 the source as it is; 1 comments and docstrings stripped;
    2 names blurred; 3 definitions shuffled among noise sections; 4 truncated.
    """

    unit: Literal["definition", "file"] = Field(
        default="definition", description="what a row is about: a function or class, or a whole small file"
    )
    severities: tuple[Severity, ...] = Field(default=(0, 1, 2, 3, 4), min_length=1, description="those that are made")
    rows_per_unit: Positive = Field(default=2, description="severities that are drawn for each unit")
    require_docstring: bool = Field(default=True, description="leave out units that say nothing of what they do")
    noise_sections: Natural = Field(default=2, description="sections of other code from severity 3 on")
    kept_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.6, description="share of the lines that severity 4 leaves, at least"
    )
    max_unit_chars: Positive = Field(default=4000, description="longest source of a unit; longer ones give no rows")
    max_input_chars: Annotated[int, Field(ge=200)] = Field(default=3000, description="longest input; the end is cut")
    max_target_chars: Annotated[int, Field(ge=100)] = Field(
        default=1200, description="longest target; items at its end are left out"
    )
    max_examples: Natural = Field(default=3, description="examples of a function from doctests and tests")
