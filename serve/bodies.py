"""The bodies of requests: what a client may ask for. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cetd.data.app import Interface

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Body(BaseModel):
    """What all bodies share."""

    model_config = ConfigDict(extra="forbid")


class Options(Body):
    """How to write."""

    max_new_tokens: int | None = Field(default=None, ge=1, description="most tokens to write; unset: the server's")
    temperature: float = Field(default=0.0, ge=0, le=10, description="0 writes the likeliest token each time")
    top_k: int = Field(default=0, ge=0, description="draw from the k likeliest tokens; 0: from all")
    top_p: float = Field(default=1.0, gt=0, le=1, description="draw from the likeliest tokens of this mass")
    seed: Seed | None = Field(default=None, description="the same seed draws the same text; unset: drawn")


class InferBody(Options):
    """``POST /infer``."""

    inputs: list[str] = Field(min_length=1, description="texts that the model reads, each by itself")
    deadline_s: float | None = Field(default=None, gt=0, description="seconds after which the request ends with 504")


class CodeBody(Body):
    """Code, and how its requirements are written."""

    source: str | None = Field(default=None, min_length=1, description="the code of a single file")
    files: dict[str, str] | None = Field(default=None, min_length=1, description="the code by path, in place of source")
    options: Options = Options()
    stream: bool = Field(default=False, description="answer with server-sent events as it is written")
    deadline_s: float | None = Field(default=None, gt=0, description="seconds after which the request ends with 504")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.source is None) == (self.files is None):
            raise ValueError("give either source or files")
        return self

    @property
    def text(self) -> str:
        """What the model reads, as the training data had it."""
        if self.source is not None:
            return self.source
        files = self.files or {}
        if len(files) == 1:
            return next(iter(files.values()))
        return "\n".join(f"# {path}\n{text}" for path, text in sorted(files.items()))


class RequirementsBody(CodeBody):
    """``POST /v1/requirements``."""


class InterfaceBody(Body):
    """The names that the reconstruction has to have."""

    module: str = Field(default="solution", pattern=r"^[A-Za-z_]\w*$", description="name of the module")
    signatures: list[str] = Field(min_length=1, description="signatures of its functions and classes")

    def interface(self) -> Interface:
        """As prompts take it."""
        return Interface(self.module, tuple(self.signatures))


class WritingBody(Body):
    """How the reconstruction LLM writes."""

    max_new_tokens: int | None = Field(default=None, ge=1, description="most tokens to write; unset: the LLM's own")
    temperature: float = Field(default=0.0, ge=0, le=2, description="0 writes the likeliest token each time")


class PipelineBody(CodeBody):
    """``POST /v1/pipeline``."""

    llm: str = Field(description="which reconstruction LLM, of those that GET /v1/models names")
    interface: InterfaceBody | None = Field(
        default=None, description="what the program has to define; unset: what the code defines, where it is Python"
    )
    llm_options: WritingBody = WritingBody()


class FeedbackBody(Body):
    """``POST /v1/feedback``."""

    request_id: str = Field(min_length=1, max_length=128, description="the id that the answer named")
    passed: bool | None = Field(
        default=None, description="whether what was built from the requirements passed its tests"
    )
    rating: int | None = Field(default=None, ge=1, le=5, description="how good the requirements were")
    comment: str = Field(default="", max_length=4000, description="in words")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.passed is None and self.rating is None:
            raise ValueError("give passed, rating or both")
        return self
