"""StyleGAN2 and StyleGAN2-ADA TensorFlow pickles: a tuple (G, D, Gs) of networks, of which Gs is
read.

Every setting and every array of the file is either used, known to be harmless, or an error that
names it.

Forks of StyleGAN2 for images that are not square write settings of their own, also for square
images:

    min_h, min_w, res_log2     skyflynil's and RoyWheels': height min_h 2^res_log2, width
                               min_w 2^res_log2, from a constant of min_h x min_w
    init_res, size             eps696's: height and width of the constant, resolution / 4 times
                               that of the images
    resolution_h, resolution_w, res, output_shape, square
                               the sides of the images, or whether they are equal

Where all of them say what a square network of 8, 16, ... pixels that begins with 4 x 4 says by its
`resolution`, the network is the same. DiffAugment-stylegan2 and eps696 write `impl`, how the filter
is computed. The first scales the embedding of labels by mapping_lrmul, which no other does.

Some programs keep Gs alone, a network instead of a tuple, or G and D, a tuple of two.
"""

import contextlib
import math
import pickle
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnnlib.containers.named_arrays import MOST_TAPS, NamedArrays
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.containers.tensorflow_network import TensorFlowNetwork
from dnnlib.errors import InputError
from dnnlib.record import IgnoredSettings, NetworkRecord, check_first_layer, check_mapping_layers

# Settings that change the result, with the defaults of both programs.
_DEFAULTS = {
    "latent_size": 512,
    "label_size": 0,
    "dlatent_size": 512,
    "mapping_layers": 8,
    "mapping_fmaps": 512,
    "mapping_lrmul": 0.01,
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "label_fmaps": None,
    "num_channels": 3,
    "resolution": 1024,
    "fmap_base": 16384,
    "fmap_decay": 1,
    "fmap_min": 1,
    "fmap_max": 512,
    "fmap_const": None,
    "architecture": "skip",
    "nonlinearity": "lrelu",
    "resample_kernel": (1, 3, 3, 1),
    "use_noise": True,
    "conv_clamp": None,
}
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
# Settings of forks about the size of the images, which must be that of a square network.
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
_KNOWN = {*_DEFAULTS, *_HARMLESS, *_SIZES, "dtype"}
_LARGEST_SIDE = 1 << 16
_MOST_LOG2 = 16
_ADVICE = "use a StyleGAN2 or StyleGAN2-ADA generator"
_SYNTHESIS_FUNCTIONS = ("G_synthesis_stylegan2", "G_synthesis_stylegan_revised", "G_synthesis")


class Found(NamedTuple):
    """A generator of a file, and lines that say why it was taken."""

    network: TensorFlowNetwork
    notes: tuple[str, ...] = ()


def averaged_generator(content: Any) -> Found:
    """Gs of what is in the file, or the network that stands for it. Raises InputError if there is
    none."""
    if isinstance(content, TensorFlowNetwork):
        name = content.state.get("name")
        return Found(
            content,
            ()
            if name == "Gs"
            else (
                f"holds one network, named {brief(name)}: it is used, whether it is an averaged "
                "generator or not",
            ),
        )
    networks = isinstance(content, tuple) and all(
        isinstance(network, TensorFlowNetwork) for network in content
    )
    if networks and len(content) == 2:
        return Found(
            content[0],
            ("holds G and D, and no averaged generator Gs: G is used, whose images are worse",),
        )
    if networks and len(content) == 3:
        return Found(content[2])
    raise InputError(
        f"holds {_describe(content)}; expected a tuple (G, D, Gs) of networks, (G, D) or Gs alone: "
        "use a StyleGAN2 or StyleGAN2-ADA TensorFlow pickle"
    )


def _describe(content: Any) -> str:
    if isinstance(content, (tuple, list)):
        return f"a {type(content).__name__} of {len(content)}"
    return f"a {type(content).__name__}"


def to_record(generator: Found, memory: Memory, ignored: IgnoredSettings) -> NetworkRecord:
    """The record of Gs.

    Raises InputError for a setting, unless it is `ignored`, or an array that this reader does not
    know; for fields of the wrong kind it may raise nearly anything.
    """
    state = generator.network.state
    if (main_function := state["build_func_name"]) != "G_main":
        raise InputError(
            f"its generator function is {brief(main_function)}; expected G_main: {_ADVICE}"
        )
    mapping, synthesis = (state["components"][name].state for name in ("mapping", "synthesis"))
    function = synthesis["build_func_name"]
    is_ada, revised = function == "G_synthesis", function == "G_synthesis_stylegan_revised"
    given = _given((state, mapping, synthesis))
    s = types.SimpleNamespace(**_settings(given, mapping, synthesis, ignored))
    # Told by what the others with the setting impl write besides.
    s.embedding_scale = (
        s.mapping_lrmul if "impl" in given and "init_res" not in given and not is_ada else 1.0
    )
    kernel = (1, 1) if s.resample_kernel is None else s.resample_kernel
    if not (
        isinstance(kernel, (list, tuple)) and all(isinstance(tap, (int, float)) for tap in kernel)
    ):
        raise InputError(
            f"its resample_kernel is {brief(kernel)}; expected a list of numbers, such as 1, 3, "
            "3, 1"
        )

    arrays: dict[str, np.ndarray] = {}
    record = NetworkRecord(
        z_dim=s.latent_size,
        w_dim=s.dlatent_size,
        label_dim=s.label_size,
        resolution=s.resolution,
        num_channels=s.num_channels,
        architecture="orig" if revised else s.architecture,
        activation=s.nonlinearity,
        mapping_activation=s.mapping_nonlinearity,
        normalize_z=bool(s.normalize_latents),
        label_normalization="separate" if is_ada else "joint",
        resample_kernel=tuple(map(float, kernel)),
        conv_clamp=None if s.conv_clamp is None else float(s.conv_clamp),
        arrays=arrays,
        format=f"{'StyleGAN2-ADA' if is_ada else 'StyleGAN2'} TensorFlow pickle",
        notes=generator.notes
        + (
            f"the embedding of labels is scaled by mapping_lrmul, {s.embedding_scale:g}: told by "
            "the setting impl, it is of DiffAugment-stylegan2",
        )
        * bool(s.label_size and s.embedding_scale != 1),
    )
    record.check_settings()

    networks = {"": state, "mapping/": mapping, "synthesis/": synthesis}
    variables = NamedArrays(
        (
            (prefix + name, values)
            for prefix, network in networks.items()
            for name, values in network["variables"]
        ),
        memory,
    )
    arrays["w_avg"] = variables.take("dlatent_avg", (record.w_dim,))
    variables.skip("lod")
    for prefix in networks:
        if variables.shape(f"{prefix}epochs") == ():  # a count of a fork
            variables.skip(f"{prefix}epochs")
    _read_mapping(variables, record, s, is_ada)
    _read_synthesis(variables, record, s, revised)
    variables.expect_none_left()
    return record


def _given(networks: Iterable[dict]) -> dict[str, Any]:
    """The settings that are in the file; raises InputError if its networks disagree on one that is
    known."""
    given: dict[str, Any] = {}
    for network in networks:  # each repeats the settings that it was built with
        for name, value in network["static_kwargs"].items():
            if name in _DEFAULTS or name in _HARMLESS_VALUES or name in _SIZES:
                _expect_plain(name, value)
                if given.get(name, value) != value:
                    raise InputError(
                        f"its networks disagree on the setting {name}: {brief(given[name])} and "
                        f"{brief(value)}; expected a file as StyleGAN2 wrote it"
                    )
            given.setdefault(name, value)
    return given


def _settings(
    given: dict[str, Any], mapping: dict, synthesis: dict, ignored: IgnoredSettings
) -> dict[str, Any]:
    """The settings in force; raises InputError for one that is not known, unless it is ignored."""
    if (function := synthesis["build_func_name"]) not in _SYNTHESIS_FUNCTIONS:
        raise InputError(
            f"its synthesis function is {brief(function)}; expected "
            f"{' or '.join(_SYNTHESIS_FUNCTIONS)}: {_ADVICE}"
        )
    if (mapping_function := mapping["build_func_name"]) != "G_mapping":
        raise InputError(
            f"its mapping function is {brief(mapping_function)}; expected G_mapping: {_ADVICE}"
        )
    resolution = _resolution(given)
    for name, value in given.items():
        if name == "dtype" and value != "float32":
            raise InputError(f"its dtype is {brief(value)}; expected float32")
        if name not in _KNOWN and value not in _HARMLESS_VALUES.get(name, ()):
            ignored.expect_covered(name, value, "expected a StyleGAN2 or StyleGAN2-ADA generator")
    unused = () if function == "G_synthesis" else _ADA_ONLY
    settings = _DEFAULTS | {
        name: value for name, value in given.items() if name in _DEFAULTS and name not in unused
    }
    if settings["mapping_fmaps"] is None or (
        function == "G_synthesis" and "mapping_fmaps" not in given
    ):
        settings["mapping_fmaps"] = settings["dlatent_size"]
    return settings | {"resolution": resolution}


def _resolution(given: dict[str, Any]) -> int:
    """The side of the images, which forks say in several ways.

    Raises InputError if images are not square, do not begin with 4 x 4, or if the settings
    disagree.
    """
    given = {
        name: value
        for name, value in given.items()
        if name in ("resolution", *_SIZES) and value is not None
    }
    start = _pair(given, "init_res") or _pair(given, "min_h", "min_w") or (4, 4)
    sizes = _image_sizes(given, start) or {"resolution": (_DEFAULTS["resolution"],) * 2}
    for height, width in sizes.values():
        if height == width and start[0] != start[1]:  # eps696's resolution is that of the layers
            height, width = height * start[0] // 4, width * start[1] // 4
        if height != width:
            raise _not_square(height, width)
    if given.get("square", True) is not True:
        raise InputError(
            f"makes images that are not square: its setting square is {brief(given['square'])}; "
            "expected a square network"
        )
    _expect_constant(*start)
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{height} ({names})" for names, (height, _) in sizes.items())
        raise InputError(
            f"its settings disagree on the size of its images: {said}; expected one size"
        )
    return next(iter(sizes.values()))[0]


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
        sizes["res"] = (
            1 << sizes["res"][0],
            1 << sizes["res"][1],
        )  # a logarithm, as in StyleGAN's own code
    if "res_log2" in given:
        factor = 1 << min(_pair(given, "res_log2")[0], _MOST_LOG2)
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
        if names == (
            "output_shape",
        ):  # it has channels before or after, and maybe the size of a batch
            values = [n for n in values if isinstance(n, int) and n >= 8][-2:]
    if not (
        1 <= len(values) <= 2 and all(type(n) is int and 0 < n <= _LARGEST_SIDE for n in values)
    ):
        raise InputError(
            f"its {', '.join(names)} is {brief(found[0] if len(found) == 1 else found)}; expected "
            f"a whole number, 1 to {_LARGEST_SIDE}"
        )
    return values[0], values[-1]


def _not_square(height: int, width: int) -> InputError:
    return InputError(
        f"makes images that are not square ({width} x {height}, width x height); expected a square "
        "network"
    )


def _expect_constant(height: int, width: int) -> None:
    if (height, width) != (4, 4):
        raise InputError(
            f"begins with a constant of {height} x {width}; expected 4 x 4, as networks of 8, 16, "
            "32, ... pixels have"
        )


def _expect_plain(name: str, value: Any) -> None:
    """Raises InputError unless a setting is a number, a text or a few of them: others may take
    forever to compare."""
    values = value if isinstance(value, (list, tuple)) and len(value) <= MOST_TAPS else [value]
    if not all(v is None or isinstance(v, (bool, int, float, str)) for v in values):
        raise InputError(f"its setting {name} is {brief(value)}; expected a number, a text or None")


def equalized_scale(shape: tuple[int, ...], lrmul: float = 1.0) -> float:
    """What a stored weight is multiplied with: lrmul / sqrt(fan_in), fan_in all dimensions but the
    last."""
    return lrmul / math.sqrt(math.prod(shape[:-1]))


def _read_mapping(
    variables: NamedArrays, record: NetworkRecord, s: types.SimpleNamespace, is_ada: bool
) -> None:
    arrays, inputs = record.arrays, record.z_dim
    if record.label_dim:
        embed_dim = s.label_fmaps or record.z_dim
        shape = (record.label_dim, embed_dim)
        if is_ada:
            arrays["mapping/embed/weight"] = variables.take(
                "mapping/LabelEmbed/weight", shape, equalized_scale(shape)
            )
            arrays["mapping/embed/bias"] = variables.take("mapping/LabelEmbed/bias", (embed_dim,))
        else:
            scale = s.embedding_scale  # without 1 / sqrt(fan_in)
            arrays["mapping/embed/weight"] = variables.take(
                "mapping/LabelConcat/weight", shape, scale
            )
            arrays["mapping/embed/bias"] = np.zeros(embed_dim, np.float32)
        inputs += embed_dim
    elif len(shape := variables.shape("mapping/Dense0/weight") or ()) == 2:
        check_first_layer(shape[0], record.z_dim)
    check_mapping_layers(s.mapping_layers)
    for i in range(s.mapping_layers):
        shape = (inputs, record.w_dim if i == s.mapping_layers - 1 else s.mapping_fmaps)
        scale = equalized_scale(shape, s.mapping_lrmul)
        arrays[f"mapping/{i}/weight"] = variables.take(f"mapping/Dense{i}/weight", shape, scale)
        arrays[f"mapping/{i}/bias"] = variables.take(
            f"mapping/Dense{i}/bias", shape[1:], s.mapping_lrmul
        )
        inputs = shape[1]


def _read_synthesis(
    variables: NamedArrays, record: NetworkRecord, s: types.SimpleNamespace, revised: bool
) -> None:
    arrays, w_dim = record.arrays, record.w_dim

    def convolution(name: str, target: str, kernel: int, inputs: int, outputs: int) -> None:
        shape = (kernel, kernel, inputs, outputs)
        weight = variables.take(f"synthesis/{name}/weight", shape, equalized_scale(shape))
        if target.endswith(
            ("conv0", "skip")
        ):  # stored for a correlation; tf.nn.conv2d_transpose spreads the other way
            weight = np.ascontiguousarray(weight[::-1, ::-1])
        arrays[f"{target}/weight"] = weight
        if target.endswith("skip"):
            return
        shape = (w_dim, inputs)
        arrays[f"{target}/style_weight"] = variables.take(
            f"synthesis/{name}/mod_weight", shape, equalized_scale(shape)
        )
        arrays[f"{target}/style_bias"] = variables.take(f"synthesis/{name}/mod_bias", (inputs,)) + 1
        arrays[f"{target}/bias"] = variables.take(f"synthesis/{name}/bias", (outputs,))

    def noisy_convolution(
        name: str, target: str, inputs: int, outputs: int, layer: int, size: int
    ) -> None:
        convolution(name, target, 3, inputs, outputs)
        arrays[f"{target}/noise"] = np.broadcast_to(np.float32(0), (size, size))
        if s.use_noise:
            strength = variables.take(f"synthesis/{name}/noise_strength", ())
            arrays[f"{target}/noise"] = variables.take(
                f"synthesis/noise{layer}", (1, 1, size, size), strength
            )[0, 0]

    def channels(resolution: int) -> int:
        stage = resolution.bit_length() - 2
        return min(max(int(s.fmap_base / 2.0 ** (stage * s.fmap_decay)), s.fmap_min), s.fmap_max)

    inputs = s.fmap_const or channels(4)
    if len(shape := variables.shape("synthesis/4x4/Const/const") or ()) == 4:
        if shape[2] != shape[3]:
            raise _not_square(record.resolution * shape[2] // 4, record.resolution * shape[3] // 4)
        _expect_constant(*shape[2:])
    const = variables.take("synthesis/4x4/Const/const", (1, inputs, 4, 4))[0]
    arrays["const"] = np.ascontiguousarray(const.transpose(1, 2, 0))
    for stage, size in enumerate(record.resolutions):
        name, outputs = f"{size}x{size}", channels(size)
        if size == 4:
            noisy_convolution(f"{name}/Conv", "4/conv1", inputs, outputs, 0, size)
        else:
            if record.architecture == "resnet":
                convolution(f"{name}/Skip", f"{size}/skip", 1, inputs, outputs)
            noisy_convolution(
                f"{name}/Conv0_up", f"{size}/conv0", inputs, outputs, 2 * stage - 1, size
            )
            noisy_convolution(f"{name}/Conv1", f"{size}/conv1", outputs, outputs, 2 * stage, size)
        if record.architecture == "skip" or size == record.resolution:
            to_rgb = "ToRGB_lod0" if revised else f"{name}/ToRGB"
            convolution(to_rgb, f"{size}/rgb", 1, outputs, record.num_channels)
        inputs = outputs
    if "synthesis/lod" in variables and (lod := float(variables.take("synthesis/lod", ()))) != 0:
        raise InputError(
            f"its lod is {lod:g}; expected 0, a network trained to its full resolution"
        )
    if revised:
        for lod in range(
            1, record.resolution.bit_length()
        ):  # the outputs at lower resolutions, off at lod 0
            for name in ("weight", "bias", "mod_weight", "mod_bias"):
                variables.skip(f"synthesis/ToRGB_lod{lod}/{name}")


def write(record: NetworkRecord, path: str | Path, mapping_lrmul: float = 0.01) -> None:
    """Write a generator without labels in the public layout: the inverse of `read`, within
    rounding.

    Its channels must be min(fmap_base / 2^(r-1), fmap_max) at resolution 2^r for some fmap_base and
    fmap_max. G and Gs are the same network, D is an empty one. A conv_clamp makes it a
    StyleGAN2-ADA pickle. Raises ValueError for a record with labels.
    """
    if record.label_dim:
        raise ValueError("writing networks with labels is not supported")
    is_ada = record.conv_clamp is not None
    arrays = record.arrays
    channels = [arrays[f"{size}/conv1/weight"].shape[3] for size in record.resolutions]
    kwargs = {
        "num_channels": record.num_channels,
        "resolution": record.resolution,
        "fmap_max": max(channels),
        "fmap_base": channels[-1] * record.resolution // 2,
        "latent_size": record.z_dim,
        "dlatent_size": record.w_dim,
        "mapping_fmaps": arrays["mapping/0/weight"].shape[1],
        "mapping_layers": record.mapping_layers,
        "mapping_lrmul": mapping_lrmul,
        "architecture": record.architecture,
        "normalize_latents": record.normalize_z,
        "resample_kernel": list(record.resample_kernel),
        "nonlinearity": record.activation,
        "mapping_nonlinearity": record.mapping_activation,
    }
    if is_ada:
        kwargs["conv_clamp"] = record.conv_clamp

    mapping = {}
    for i in range(record.mapping_layers):
        weight = arrays[f"mapping/{i}/weight"]
        mapping[f"Dense{i}/weight"] = weight / equalized_scale(weight.shape, mapping_lrmul)
        mapping[f"Dense{i}/bias"] = arrays[f"mapping/{i}/bias"] / mapping_lrmul

    synthesis = {"4x4/Const/const": arrays["const"].transpose(2, 0, 1)[None]}
    noises = []
    for size in record.resolutions:
        names = {
            "conv0": "Conv0_up",
            "conv1": "Conv" if size == 4 else "Conv1",
            "rgb": "ToRGB",
            "skip": "Skip",
        }
        for target, name in (
            (f"{size}/{key}", f"{size}x{size}/{name}") for key, name in names.items()
        ):
            if f"{target}/weight" not in arrays:
                continue
            weight = arrays[f"{target}/weight"] / equalized_scale(arrays[f"{target}/weight"].shape)
            synthesis[f"{name}/weight"] = (
                weight[::-1, ::-1] if target.endswith(("conv0", "skip")) else weight
            )
            if target.endswith("skip"):
                continue
            style_weight = arrays[f"{target}/style_weight"]
            synthesis[f"{name}/mod_weight"] = style_weight / equalized_scale(style_weight.shape)
            synthesis[f"{name}/mod_bias"] = arrays[f"{target}/style_bias"] - 1
            synthesis[f"{name}/bias"] = arrays[f"{target}/bias"]
            if f"{target}/noise" in arrays:
                noise = arrays[f"{target}/noise"]
                synthesis[f"{name}/noise_strength"] = np.float32(noise.any())
                noises.append(noise[None, None])
    synthesis = {**{f"noise{k}": noise for k, noise in enumerate(noises)}, **synthesis}

    with _stand_in_classes() as network:

        def state(name: str, function: str, variables: dict, components: dict) -> Any:
            instance = network()
            instance.__dict__ = {
                "version": 5 if is_ada else 4,
                "name": name,
                "static_kwargs": kwargs,
                "components": components,
                "build_module_src": "# not needed to read this file\n",
                "build_func_name": function,
                "variables": [
                    (key, np.array(value, np.float32)) for key, value in variables.items()
                ],
            }
            return instance

        components = {
            "synthesis": state(
                "G_synthesis", "G_synthesis" if is_ada else "G_synthesis_stylegan2", synthesis, {}
            ),
            "mapping": state("G_mapping", "G_mapping", mapping, {}),
        }
        generator = state("Gs", "G_main", {"dlatent_avg": arrays["w_avg"]}, components)
        content = pickle.dumps(
            (generator, state("D", "D_stylegan2", {}, {}), generator), protocol=4
        )
    Path(path).write_bytes(content)


@contextlib.contextmanager
def _stand_in_classes():
    """An empty class that pickle writes as dnnlib.tflib.network.Network."""
    network = type("Network", (), {"__module__": "dnnlib.tflib.network", "__qualname__": "Network"})
    modules = {name: types.ModuleType(name) for name in ("dnnlib.tflib", "dnnlib.tflib.network")}
    modules["dnnlib.tflib.network"].Network = network
    sys.modules.update(modules)
    try:
        yield network
    finally:
        for name in modules:
            del sys.modules[name]
