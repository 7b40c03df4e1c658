"""Recipes: one function a published result, returning the typed configuration that reproduces it."""

from __future__ import annotations

from collections.abc import Callable

from medenhance.errors import MedEnhanceError
from medenhance_training.config import RunConfig
from medenhance_training.recipes import mtd_gan, redcnn, smart_net, smart_net_compact, spine

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
    "da-gan": spine.da_gan,
    "da-gan-tmi2022": spine.da_gan_tmi2022,
    "da-gan-no-attention": spine.da_gan_no_attention,
    "da-gan-no-dual": spine.da_gan_no_dual,
    "spine-fpn": spine.spine_fpn,
    "spine-unet": spine.spine_unet,
    "spine-rsnu": spine.spine_rsnu,
    "spine-ppmu": spine.spine_ppmu,
    "spine-wavect": spine.spine_wavect,
    "spine-n2v": spine.spine_n2v,
    "spine-structn2v": spine.spine_structn2v,
    "spine-n2s": spine.spine_n2s,
    "spine-cycle": spine.spine_cycle,
    "da-gan-compact": spine.da_gan_compact,
    "da-gan-compact-unpaired": spine.da_gan_compact_unpaired,
    "da-gan-compact-no-attention": spine.da_gan_compact_no_attention,
    "da-gan-compact-no-dual": spine.da_gan_compact_no_dual,
    "spine-fpn-compact": spine.spine_fpn_compact,
    "spine-unet-compact": spine.spine_unet_compact,
    "spine-rsnu-compact": spine.spine_rsnu_compact,
    "spine-ppmu-compact": spine.spine_ppmu_compact,
    "spine-wavect-compact": spine.spine_wavect_compact,
    "spine-n2v-compact": spine.spine_n2v_compact,
    "spine-structn2v-compact": spine.spine_structn2v_compact,
    "spine-n2s-compact": spine.spine_n2s_compact,
    "spine-cycle-compact": spine.spine_cycle_compact,
    **smart_net.RECIPES,
    **smart_net_compact.RECIPES,
}


def recipe(name: str) -> RunConfig:
    """The configuration of a recipe.

    Raises:
        MedEnhanceError: There is no such recipe; the message lists those that there are.
    """
    if name not in RECIPES:
        raise MedEnhanceError("bad-option", f"there is no recipe {name!r}.", f"Known recipes: {', '.join(RECIPES)}.")
    return RECIPES[name]()
