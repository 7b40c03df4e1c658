"""Recipes: one function a published result, returning the typed configuration that reproduces it."""

from __future__ import annotations

from collections.abc import Callable

from medenhance.errors import MedEnhanceError
from medenhance_training.config import RunConfig
from medenhance_training.recipes import mtd_gan, redcnn

Recipe = Callable[[], RunConfig]

RECIPES: dict[str, Recipe] = {
    "redcnn": redcnn.redcnn,
    "redcnn-compact-pretrain": redcnn.redcnn_compact_pretrain,
    "redcnn-compact-anatomy": redcnn.redcnn_compact_anatomy,
    "redcnn-compact-diagnostic": redcnn.redcnn_compact_diagnostic,
    "redcnn-compact": redcnn.redcnn_compact,
    "mtd-gan": mtd_gan.mtd_gan,
    "mtd-gan-official": mtd_gan.mtd_gan_official,
    "mtd-gan-thesis-brain": mtd_gan.mtd_gan_thesis_brain,
    "mtd-gan-thesis-abdomen": mtd_gan.mtd_gan_thesis_abdomen,
    "mtd-gan-ablation-a": mtd_gan.ablation_a,
    "mtd-gan-ablation-b": mtd_gan.ablation_b,
    "mtd-gan-ablation-c": mtd_gan.ablation_c,
    "mtd-gan-ablation-d": mtd_gan.ablation_d,
    "mtd-gan-ablation-e": mtd_gan.ablation_e,
    "mtd-gan-ablation-f": mtd_gan.ablation_f,
    "mtd-gan-ablation-g": mtd_gan.ablation_g,
    "mtd-gan-compact-pretrain": mtd_gan.mtd_gan_compact_pretrain,
    "mtd-gan-compact": mtd_gan.mtd_gan_compact,
}


def recipe(name: str) -> RunConfig:
    """The configuration of a recipe.

    Raises:
        MedEnhanceError: There is no such recipe; the message lists those that there are.
    """
    if name not in RECIPES:
        raise MedEnhanceError("bad-option", f"there is no recipe {name!r}.", f"Known recipes: {', '.join(RECIPES)}.")
    return RECIPES[name]()
