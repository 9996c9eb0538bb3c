"""The settings of StyleGAN2's TensorFlow pickles, also of its forks.

Every setting is either used, known to be harmless, or an error that names it. What is not in the
file has the default of its program. Channels at resolution 2^r: fmap_base / 2^((r - 1) fmap_decay),
as a whole number from fmap_min to fmap_max; in the constant fmap_const, if given.

Networks of images that are not square begin with a constant that is not, and double it as often as
4 x 4 is doubled to `resolution`. Their forks of StyleGAN2 write settings of their own, also for
square images:

    min_h, min_w, res_log2     skyflynil's and RoyWheels': height min_h 2^res_log2, width
                               min_w 2^res_log2, from a constant of min_h x min_w
    init_res, size             eps696's: height and width of the constant, and of the images,
                               resolution / 4 times as much
    resolution_h, resolution_w, res, output_shape, square
                               the sides of the images, or whether they are equal

All of them must agree with each other and with the constant. eps696 can stretch or pad what a layer
makes (`scale_type`, or another `size`), which is not supported. DiffAugment-stylegan2 and eps696
write `impl`, how the filter is computed. The first scales the embedding of labels by mapping_lrmul,
which no other does.
"""

import dataclasses
from typing import Any

from dnnlib.containers.safe_pickle import brief
from dnnlib.errors import InputError
from dnnlib.families.tensorflow import channels_at
from dnnlib.record import IgnoredSettings

ADVICE = "use a StyleGAN2 or StyleGAN2-ADA generator"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings that change the result, with the defaults of both programs."""

    latent_size: int = 512
    label_size: int = 0
    dlatent_size: int = 512
    mapping_layers: int = 8
    mapping_fmaps: int = 512
    mapping_lrmul: float = 0.01
    mapping_nonlinearity: str = "lrelu"
    normalize_latents: bool = True
    label_fmaps: int | None = None
    num_channels: int = 3
    resolution: int = 1024
    fmap_base: int = 16384
    fmap_decay: float = 1
    fmap_min: int = 1
    fmap_max: int = 512
    fmap_const: int | None = None
    architecture: str = "skip"
    nonlinearity: str = "lrelu"
    resample_kernel: tuple[float, ...] | None = (1, 3, 3, 1)
    use_noise: bool = True
    conv_clamp: float | None = None

    def channels(self, resolution: int) -> int:
        """Of the layers at a resolution."""
        number = channels_at(resolution, self.fmap_base, self.fmap_decay, self.fmap_max)
        return min(max(number, self.fmap_min), self.fmap_max)

    @property
    def taps(self) -> tuple[float, ...]:
        """Of the filter; raises InputError if they are no numbers."""
        taps = (1, 1) if self.resample_kernel is None else self.resample_kernel
        if not isinstance(taps, (list, tuple)) or not all(
            isinstance(tap, (int, float)) for tap in taps
        ):
            raise InputError(
                f"its resample_kernel is {brief(taps)}; expected a list of numbers, such as 1, 3, "
                "3, 1"
            )
        return tuple(map(float, taps))


_USED = tuple(field.name for field in dataclasses.fields(Settings))
# Those of StyleGAN2-ADA alone: the functions of StyleGAN2 take and ignore them.
_ADA_ONLY = ("label_fmaps", "fmap_const", "use_noise", "conv_clamp")
# Settings that change nothing in an untruncated forward pass with constant noise, in float32.
_HARMLESS = {
    "truncation_psi",
    "truncation_cutoff",
    "truncation_psi_val",
    "truncation_cutoff_val",
    "dlatent_broadcast",
    "dlatent_avg_beta",
    "w_avg_beta",
    "style_mixing_prob",
    "randomize_noise",
    "fused_modconv",
    "structure",
    "num_fp16_res",
    "conditioning",
    "synthesis_func",
    "mapping_func",
    "verbose",
}
# Settings of forks that are harmless with one of these values.
_HARMLESS_VALUES = {"impl": ("cuda", "ref"), "epochs": (0,), "scale_type": (None,)}
# Settings of forks about the size of the images.
_SIZES = (
    "size",
    "output_shape",
    "res",
    "resolution_h",
    "resolution_w",
    "min_h",
    "min_w",
    "res_log2",
    "init_res",
    "square",
)
KNOWN_SETTINGS = (*_USED, *_HARMLESS_VALUES, *_SIZES)  # that networks must agree on
_KNOWN = {*_USED, *_HARMLESS, *_SIZES, "dtype"}
_LARGEST_SIDE = 1 << 16
_MOST_LOG2 = 16


def settings_in_force(
    given: dict[str, Any], start: tuple[int, int], is_ada: bool, ignored: IgnoredSettings
) -> Settings:
    """The settings of a network whose constant has `start` rows and columns.

    Raises InputError for a setting that is not known, unless it is ignored."""
    resolution = _resolution(given, start)
    for name, value in given.items():
        if name == "dtype" and value != "float32":
            raise InputError(f"its dtype is {brief(value)}; expected float32")
        if name not in _KNOWN and value not in _HARMLESS_VALUES.get(name, ()):
            ignored.expect_covered(name, value, "expected a StyleGAN2 or StyleGAN2-ADA generator")
    unused = () if is_ada else _ADA_ONLY
    used = {name: value for name, value in given.items() if name in _USED and name not in unused}
    settings = Settings(**used | {"resolution": resolution})
    if settings.mapping_fmaps is None or (is_ada and "mapping_fmaps" not in given):
        return dataclasses.replace(settings, mapping_fmaps=settings.dlatent_size)
    return settings


def scales_embedding(given: dict[str, Any], is_ada: bool) -> bool:
    """Whether the file is of DiffAugment-stylegan2, which scales the embedding of labels by
    mapping_lrmul: told by what the others with the setting impl write besides."""
    return "impl" in given and "init_res" not in given and not is_ada


def _resolution(given: dict[str, Any], start: tuple[int, int]) -> int:
    """What 4 becomes when it is doubled as often as the constant.

    Raises InputError if the settings disagree with each other or with the constant.
    """
    given = {
        name: value
        for name, value in given.items()
        if name in ("resolution", *_SIZES) and value is not None
    }
    for names in (("init_res",), ("min_h", "min_w")):
        if (said := _pair(given, *names) or start) != start:
            raise InputError(
                f"its {', '.join(names)} is {said[0]} x {said[1]}, but its constant is "
                f"{start[0]} x {start[1]}; expected a file as its program wrote it"
            )
    default = {"resolution": (Settings.resolution, Settings.resolution)}
    sizes = _image_sizes(given, start) or default
    if len(set(sizes.values())) > 1:
        said_sizes = ", ".join(f"{h} x {w} ({names})" for names, (h, w) in sizes.items())
        raise InputError(
            f"its settings disagree on the size of its images: {said_sizes}; expected one size"
        )
    height, width = next(iter(sizes.values()))
    times = height // start[0]
    if (start[0] * times, start[1] * times) != (height, width):
        raise InputError(
            f"makes images of {height} x {width}; expected a power of two times its constant, "
            f"which is {start[0]} x {start[1]}"
        )
    if given.get("square", height == width) is not (height == width):
        raise InputError(
            f"its setting square is {brief(given['square'])}, but its images are {height} x "
            f"{width}; expected a file as its program wrote it"
        )
    return 4 * times


def _image_sizes(given: dict[str, Any], start: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Height and width of the images, by the settings that say so; `start` is the size of the
    constant."""
    pairs = [
        ("resolution",),
        ("size",),
        ("output_shape",),
        ("res",),
        ("resolution_h", "resolution_w"),
    ]
    sizes = {", ".join(names): size for names in pairs if (size := _pair(given, *names))}
    if (
        "res" in sizes
        and sizes["res"] != sizes.get("resolution")
        and max(sizes["res"]) <= _MOST_LOG2
    ):
        height, width = sizes["res"]  # logarithms, as in StyleGAN's own code
        sizes["res"] = 1 << height, 1 << width
    if type(given.get("resolution")) is int:  # one number is that of the layers' names
        side = given["resolution"]
        sizes["resolution"] = side * start[0] // 4, side * start[1] // 4
    if log2 := _pair(given, "res_log2"):
        factor = 1 << min(log2[0], _MOST_LOG2)
        if "min_h" in given or "min_w" in given or sizes.get("resolution") != (factor, factor):
            sizes["min_h, min_w, res_log2"] = start[0] * factor, start[1] * factor
    return sizes


def _pair(given: dict[str, Any], *names: str) -> tuple[int, int] | None:
    """Height and width that a setting says, or two settings; one number stands for both. None if
    they are not there."""
    found = values = [given[name] for name in names if name in given]
    if not found:
        return None
    if isinstance(values[0], (list, tuple)):
        values = list(values[0])
        if names == ("output_shape",):  # with channels before or after, maybe a batch's size too
            values = [n for n in values if isinstance(n, int) and n >= 8][-2:]
    if not (
        1 <= len(values) <= 2 and all(type(n) is int and 0 < n <= _LARGEST_SIDE for n in values)
    ):
        raise InputError(
            f"its {', '.join(names)} is {brief(found[0] if len(found) == 1 else found)}; expected "
            f"a whole number, 1 to {_LARGEST_SIDE}"
        )
    return values[0], values[-1]
