"""`medenhance demo`: see on a case with known truth what denoising does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from medenhance.commands.choices import ModelChoices
from medenhance.commands.denoise_ct import summary
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.demo import DemoResult


@dataclass(frozen=True)
class Demo(ModelChoices):
    """Denoise a built-in low-dose case, compare it with its known truth, and write everything that there is to see.

    Writes the denoised study, what was removed, the trust report and its figure. Research use only.
    """

    path: Annotated[Positional[Path | None], arg(metavar="[PATH]")] = None
    """A study of yours to use instead; its truth is not known, so only the trust report is made."""
    output: Annotated[Path, arg(metavar="FOLDER")] = Path("medenhance-demo")
    """Where to write; the files of an earlier demonstration are replaced."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when PATH holds several series."""


def run(args: Demo) -> int:
    """Run the demonstration, and print its figures and where its files are."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.demo import run_demo  # torch, SimpleITK and matplotlib take seconds to load
        from medenhance.tasks.denoise_ct import DenoiseOptions

        options = DenoiseOptions(model=args.model, device=args.device, precision=args.precision)
        result = run_demo(args.output, options, progress, args.path, args.series)
    for what, path in result.files.items():
        print(f"{what + ':':<15}{path}")
    print("\n".join([*comparison(result), *summary(result.report)]))
    return 0


def comparison(result: DemoResult) -> list[str]:
    """The figures against the truth, as lines for a terminal; none when there is no truth."""
    before, after = result.before, result.after
    if before is None or after is None:
        return []
    from medenhance.demo import WINDOW_HU

    lo, hi = WINDOW_HU
    lines = ["", f"against the truth, window [{lo:g}, {hi:g}] HU{'before':>17}{'after':>12}"]
    lines += [
        _line("PSNR", f"{before.psnr_db:.2f} dB", f"{after.psnr_db:.2f} dB"),
        _line("SSIM", f"{before.ssim:.4f}", f"{after.ssim:.4f}"),
        _line("RMSE", f"{before.rmse_hu:.2f} HU", f"{after.rmse_hu:.2f} HU"),
    ]
    for tissue, bias in before.bias_hu.items():
        lines.append(_line(f"CT-number bias, {tissue}", _hu(bias), _hu(after.bias_hu[tissue])))
    return [*lines, ""]


def _line(name: str, before: str, after: str) -> str:
    return f"  {name:<37}{before:>18}{after:>12}"


def _hu(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f} HU"
