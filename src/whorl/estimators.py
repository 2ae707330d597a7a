"""Identification with the conventions of scikit-learn: fit, predict, score, get_params, save and load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from whorl import images, recipes
from whorl.identification import ALPHA, FINGERPRINT, check_alpha, fingerprint, identify, version
from whorl.identifier import Identifier
from whorl.identities import Identification
from whorl.library import Enrolled, Library, check_name
from whorl.pipeline import Settings
from whorl.records import Array, BadInput, ImageSet

PARAMETERS = ("alpha", "recipe", "size", "seed")


class GeneratorIdentifier:
    """Learns the fingerprints of generators; names the maker of a picture, or says `unknown`.

    `alpha` is the share of a known generator's pictures that may be called unknown.
    """

    sources_: tuple[Enrolled, ...]
    classes_: Array
    identifier_: Identifier

    def __init__(
        self, alpha: float = ALPHA, recipe: str = FINGERPRINT, size: int | None = None, seed: int = 0
    ) -> None:
        self.alpha = alpha
        self.recipe = recipe
        self.size = size
        self.seed = seed

    def fit(self, X: Array | Sequence[images.Source], y: Sequence[str]) -> Self:
        """Enrol generators: a folder or an array (n, h, w) per name, or one array and a name a picture."""
        check_alpha(self.alpha)
        if len(X) != len(y):
            raise BadInput(f"{len(X)} sets of pictures and {len(y)} names: give a name for each")
        taken: dict[str, Any] = {}
        if isinstance(X, np.ndarray) and X.ndim == 3:
            labels = np.asarray(y).astype(str)
            taken = {str(name): X[labels == name] for name in np.unique(labels)}
        else:
            taken = dict(zip(map(str, y), X, strict=True))
            if len(taken) < len(y):
                raise BadInput("two sets of pictures have the same name: join them, or rename one")
        return self._fitted({name: self._read(source, name) for name, source in taken.items()})

    def predict(self, X: images.Source) -> Array:
        """Return a name, `unknown` or `cannot tell` for every picture, (n,)."""
        return np.asarray(self.identify(X).answers, np.str_)

    def p_values(self, X: images.Source) -> Array:
        """Return the p-value of every picture for every one of `classes_`, (n, classes)."""
        return self.identify(X).p_values

    def identify(self, X: images.Source) -> Identification:
        """Return all that is to be said of a set of pictures, one by one and together."""
        self._check_fitted()
        return identify(
            images=self._read(X, "images"),
            sources=self.sources_,
            recipe=recipes.load(self.recipe),
            settings=Settings(seed=self.seed),
            alpha=self.alpha,
            identifier=self.identifier_,
        )

    def score(self, X: images.Source, y: Sequence[str]) -> float:
        """Return the share of pictures whose answer is right; pictures of strangers are `unknown`."""
        return float(np.mean(self.predict(X) == np.asarray(y).astype(str)))

    def save(self, folder: str | Path) -> Path:
        """Write a library of what was learned; a generator of the same name is replaced."""
        self._check_fitted()
        for source in self.sources_:
            Library(Path(folder)).write(source, replace=True)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path, **parameters: Any) -> Self:
        """Take the generators of a library, as `whorl enroll` or `save` wrote it."""
        made = cls(**parameters)
        return made._learn(Library(Path(folder)).read_all(version(recipes.load(made.recipe))))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters."""
        for name, value in parameters.items():
            if name not in PARAMETERS:
                raise BadInput(f"no parameter '{name}'; there are {', '.join(PARAMETERS)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        inside = ", ".join(f"{key}={value!r}" for key, value in self.get_params().items())
        return f"GeneratorIdentifier({inside})"

    def _fitted(self, sets: Mapping[str, ImageSet]) -> Self:
        recipe = recipes.load(self.recipe)
        for name in sets:
            check_name(name)
        shapes = {name: one.pixels.shape[1:] for name, one in sets.items()}
        if len(set(shapes.values())) > 1:
            raise BadInput(f"pictures of different sizes ({', '.join(sorted(shapes))}): give size=N")
        return self._learn([fingerprint(name, one, recipe, Settings()) for name, one in sets.items()])

    def _learn(self, sources: Sequence[Enrolled]) -> Self:
        self.sources_ = tuple(sorted(sources, key=lambda source: source.name))
        self.classes_ = np.asarray([source.name for source in self.sources_])
        self.identifier_ = Identifier(self.sources_)
        return self

    def _read(self, source: images.Source, name: str) -> ImageSet:
        return images.load(source, name=name, size=self.size)

    def _check_fitted(self) -> None:
        if not hasattr(self, "identifier_"):
            raise BadInput("nobody is enrolled yet: call fit, or load a library")
