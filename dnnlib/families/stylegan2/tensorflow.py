"""StyleGAN2 and StyleGAN2-ADA TensorFlow pickles: a tuple (G, D, Gs) of networks, of which Gs is
read.

A network is a `dnnlib.tflib.network.Network`, whose state is a dict: `build_func_name`, its
function; `static_kwargs`, its settings (tensorflow_settings.py), which its components repeat;
`components`, the networks mapping and synthesis, and no others; `variables`, a list of (name,
array); `build_module_src`, its source code, which is never executed. Some programs keep Gs alone, a
network instead of a tuple, or G and D, a tuple of two. Functions of the synthesis network:

    G_synthesis_stylegan2            of StyleGAN2; architecture skip (default), orig or resnet
    G_synthesis_stylegan_revised     the same as orig
    G_synthesis                      of StyleGAN2-ADA

Every array is either used, known to be harmless, or an error that names it. R stands for 4, 8, ...,
resolution, and 2^r for R.

    dlatent_avg                          [w_dim]
    lod                                  ignored
    mapping/Dense{i}/weight, bias        [in, out], [out]: times lrmul / sqrt(in), lrmul, where
                                         lrmul is mapping_lrmul
    mapping/LabelConcat/weight           [label_dim, z_dim], as it is: StyleGAN2's, where there are
                                         labels; z and the embedding are normalized together
    mapping/LabelEmbed/weight, bias      [label_dim, out], [out]: times 1 / sqrt(label_dim), 1;
                                         ADA's; z and the embedding are normalized each
    synthesis/4x4/Const/const            [1, C, h, w]: 4 x 4, but in networks of images that are not
                                         square, whose layers are called R x R as those of square
                                         ones (eps696's), or by their own size, as is the constant
    synthesis/4x4/Conv, {R}x{R}/Conv0_up, Conv1, ToRGB, Skip
        /weight                          [k, k, in, out]: times 1 / sqrt(k k in); k = 3, but 1 in
                                         ToRGB and Skip; Conv0_up and Skip up-sample, and are
                                         flipped in both axes against what a transposed convolution
                                         takes
        /mod_weight, /mod_bias           [w_dim, in], [in]: times 1 / sqrt(w_dim), 1; the style is
                                         the result + 1; not in Skip
        /bias                            [out]; not in Skip
        /noise_strength                  [], not in ToRGB and Skip
    synthesis/noise{k}                   [1, 1, h, w]: k is 0 in 4x4/Conv, 2r - 5 in Conv0_up,
                                         2r - 4 in Conv1
    synthesis/ToRGB_lod{k}               of stylegan_revised: ToRGB at resolution / 2^k, of which
                                         k = 0 is used, at synthesis/lod 0

ToRGB is there at every R for skip, at the last for orig and resnet, Skip for resnet. What the
network computes stands in network.py.
"""

from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.containers.tensorflow_network import TensorFlowNetwork
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, flip, read_rows
from dnnlib.families.stylegan2.record import MAX_START, StyleGAN2Record
from dnnlib.families.stylegan2.tensorflow_settings import (
    ADVICE,
    KNOWN_SETTINGS,
    Settings,
    scales_embedding,
    settings_in_force,
)
from dnnlib.families.tensorflow import (
    collect_settings,
    equalized_scale,
    expect_full_resolution,
    skip_lower_outputs,
    variables_of,
)
from dnnlib.record import IgnoredSettings, check_first_layer, check_mapping_layers

_FUNCTIONS = ("G_synthesis_stylegan2", "G_synthesis_stylegan_revised", "G_synthesis")


def to_record(
    generator: TensorFlowNetwork, memory: Memory, ignored: IgnoredSettings
) -> StyleGAN2Record:
    """The record of Gs.

    Raises InputError for a setting, unless it is `ignored`, or an array that this reader does not
    know; for fields of the wrong kind it may raise nearly anything.
    """
    main = generator.state
    function = main["build_func_name"]
    if function != "G_main":
        raise InputError(f"its generator function is {brief(function)}; expected G_main: {ADVICE}")
    mapping, synthesis = (main["components"][name].state for name in ("mapping", "synthesis"))
    _expect_no_other_components(main, mapping, synthesis)
    given = collect_settings((main, mapping, synthesis), KNOWN_SETTINGS)
    _expect_functions(mapping, synthesis)
    is_ada = synthesis["build_func_name"] == "G_synthesis"
    revised = synthesis["build_func_name"] == "G_synthesis_stylegan_revised"
    variables = variables_of({"": main, "mapping/": mapping, "synthesis/": synthesis}, memory)
    constant, start = _find_constant(variables)
    settings = settings_in_force(given, start, is_ada, ignored)
    embedding_scale = settings.mapping_lrmul if scales_embedding(given, is_ada) else 1.0
    record = _record_of(settings, start, is_ada, revised, embedding_scale)
    record.check_settings()

    record.arrays["w_avg"] = variables.take("dlatent_avg", (record.w_dim,))
    if record.label_dim:
        _read_embedding(variables, record, settings, embedding_scale)
    _read_mapping(variables, record, settings)
    _read_synthesis(variables, record, settings, constant, revised)
    expect_full_resolution(variables, "synthesis/lod")
    if revised:
        parts = ("weight", "bias", "mod_weight", "mod_bias")
        skip_lower_outputs(variables, "synthesis/", record.resolution, parts)
    variables.expect_none_left()
    return record


def _expect_no_other_components(*networks: dict[str, Any]) -> None:
    """Raises InputError for a network in them that is neither mapping nor synthesis, as what it
    does would be left out."""
    for network, known in zip(networks, (("mapping", "synthesis"), (), ()), strict=True):
        for name in network.get("components") or ():
            if name not in known:
                whose = "" if known else f" in {brief(network['build_func_name'])}"
                raise InputError(
                    f"has a component {brief(name)}{whose}, which is not known; expected mapping "
                    f"and synthesis alone: {ADVICE}"
                )


def _expect_functions(mapping: dict[str, Any], synthesis: dict[str, Any]) -> None:
    if (function := synthesis["build_func_name"]) not in _FUNCTIONS:
        raise InputError(
            f"its synthesis function is {brief(function)}; expected {' or '.join(_FUNCTIONS)}: "
            f"{ADVICE}"
        )
    if (function := mapping["build_func_name"]) != "G_mapping":
        raise InputError(f"its mapping function is {brief(function)}; expected G_mapping: {ADVICE}")


def _record_of(
    settings: Settings,
    start: tuple[int, int],
    is_ada: bool,
    revised: bool,
    embedding_scale: float,
) -> StyleGAN2Record:
    """The record without its arrays."""
    note = (
        f"the embedding of labels is scaled by mapping_lrmul, {embedding_scale:g}: told by the "
        "setting impl, it is of DiffAugment-stylegan2"
    )
    return StyleGAN2Record(
        z_dim=settings.latent_size,
        w_dim=settings.dlatent_size,
        label_dim=settings.label_size,
        resolution=settings.resolution,
        start=start,
        num_channels=settings.num_channels,
        architecture="orig" if revised else settings.architecture,
        activation=settings.nonlinearity,
        mapping_activation=settings.mapping_nonlinearity,
        normalize_z=bool(settings.normalize_latents),
        label_normalization="separate" if is_ada else "joint",
        resample_kernel=settings.taps,
        conv_clamp=None if settings.conv_clamp is None else float(settings.conv_clamp),
        arrays={},
        format=f"{'StyleGAN2-ADA' if is_ada else 'StyleGAN2'} TensorFlow pickle",
        notes=(note,) if settings.label_size and embedding_scale != 1 else (),
    )


def _read_embedding(
    variables: NamedArrays, record: StyleGAN2Record, settings: Settings, embedding_scale: float
) -> None:
    shape = (record.label_dim, settings.label_fmaps or record.z_dim)
    if record.label_normalization == "separate":
        name, scale = "LabelEmbed", equalized_scale(shape)
        bias = [Row("bias", "bias", shape[1:])]
    else:
        name, scale, bias = "LabelConcat", embedding_scale, []  # without 1 / sqrt(fan_in)
        record.arrays["mapping/embed/bias"] = np.zeros(shape[1], np.float32)
    rows = [Row("weight", "weight", shape, scale), *bias]
    read_rows(rows, variables, f"mapping/{name}/", record.arrays, "mapping/embed")


def _read_mapping(variables: NamedArrays, record: StyleGAN2Record, settings: Settings) -> None:
    inputs, lrmul = record.z_dim, settings.mapping_lrmul
    if record.label_dim:
        inputs += len(record.arrays["mapping/embed/bias"])
    elif len(first := variables.shape("mapping/Dense0/weight") or ()) == 2:
        check_first_layer(first[0], record.z_dim)
    check_mapping_layers(settings.mapping_layers)
    for i in range(settings.mapping_layers):
        is_last = i == settings.mapping_layers - 1
        shape = (inputs, record.w_dim if is_last else settings.mapping_fmaps)
        rows = (
            Row("weight", "weight", shape, equalized_scale(shape, lrmul)),
            Row("bias", "bias", shape[1:], lrmul),
        )
        read_rows(rows, variables, f"mapping/Dense{i}/", record.arrays, f"mapping/{i}")
        inputs = shape[1]


def _read_synthesis(
    variables: NamedArrays,
    record: StyleGAN2Record,
    settings: Settings,
    constant: str,
    revised: bool,
) -> None:
    called_by_size = constant != "synthesis/4x4/Const/const"

    def read(name: str, layer: str, inputs: int, outputs: int) -> None:
        rows = _convolution_rows(layer, inputs, outputs, record.w_dim)
        read_rows(rows, variables, f"synthesis/{name}/", record.arrays, layer)

    def read_noisy(name: str, layer: str, inputs: int, outputs: int, index: int) -> None:
        read(name, layer, inputs, outputs)
        size = record.size_at(int(layer.split("/")[0]))
        noise = np.broadcast_to(np.float32(0), size)
        if settings.use_noise:
            strength = float(variables.take(f"synthesis/{name}/noise_strength", ()))
            shape = (1, 1, *size)
            noise = variables.take(f"synthesis/noise{index}", shape, strength)[0, 0]
        record.arrays[f"{layer}/noise"] = noise

    inputs = settings.fmap_const or settings.channels(4)
    values = variables.take(constant, (1, inputs, *record.start))[0]
    record.arrays["const"] = np.ascontiguousarray(values.transpose(1, 2, 0))
    for stage, size in enumerate(record.resolutions):
        height, width = record.size_at(size) if called_by_size else (size, size)
        name, outputs = f"{height}x{width}", settings.channels(size)
        if size == 4:
            read_noisy(f"{name}/Conv", "4/conv1", inputs, outputs, 0)
        else:
            if record.architecture == "resnet":
                read(f"{name}/Skip", f"{size}/skip", inputs, outputs)
            read_noisy(f"{name}/Conv0_up", f"{size}/conv0", inputs, outputs, 2 * stage - 1)
            read_noisy(f"{name}/Conv1", f"{size}/conv1", outputs, outputs, 2 * stage)
        if record.architecture == "skip" or size == record.resolution:
            to_rgb = "ToRGB_lod0" if revised else f"{name}/ToRGB"
            read(to_rgb, f"{size}/rgb", outputs, record.num_channels)
        inputs = outputs


def _convolution_rows(layer: str, inputs: int, outputs: int, w_dim: int) -> list[Row]:
    kind = layer.split("/")[1]
    kernel = 3 if kind.startswith("conv") else 1
    shape, style = (kernel, kernel, inputs, outputs), (w_dim, inputs)
    change = flip if kind in ("conv0", "skip") else np.asarray
    weight = Row("weight", "weight", shape, equalized_scale(shape), change)
    if kind == "skip":
        return [weight]
    return [
        weight,
        Row("style_weight", "mod_weight", style, equalized_scale(style)),
        Row("style_bias", "mod_bias", (inputs,), change=_plus_one),
        Row("bias", "bias", (outputs,)),
    ]


def _plus_one(bias: np.ndarray) -> np.ndarray:
    return bias + 1


def _find_constant(variables: NamedArrays) -> tuple[str, tuple[int, int]]:
    """The name of the constant, and its rows and columns."""
    names = [name for name in variables.names() if name.endswith("/Const/const")]
    name = names[0] if len(names) == 1 else "synthesis/4x4/Const/const"
    shape = variables.shape(name) or ()
    if len(shape) != 4:
        return name, (4, 4)  # reading it says what is wrong with it
    height, width = shape[2:]
    if not (0 < height <= MAX_START and 0 < width <= MAX_START):
        raise InputError(
            f"begins with a constant of {height} x {width}; expected 4 x 4, or at most "
            f"{MAX_START} x {MAX_START} in a network of images that are not square"
        )
    if name not in ("synthesis/4x4/Const/const", f"synthesis/{height}x{width}/Const/const"):
        raise InputError(
            f"its constant is called {brief(name)}, but is {height} x {width}; expected a StyleGAN2"
        )
    return name, (height, width)
