"""What every part of the configuration tree is made of."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line for the user."""


class Section(BaseModel):
    """A node of the tree: frozen, and closed to unknown keys.

    ``MAY_CHANGE`` of a job's root names the fields, or the sections, that a resumed run may have other values of.
    """

    MAY_CHANGE: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
