"""Public networks and directions, by name. Nothing here is part of this toolkit; each has terms of
its own."""

from typing import Literal, NamedTuple

STYLEGAN2 = "https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks"
ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada/pretrained"
ADA_PYTORCH = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
HUGGINGFACE = "https://s3.amazonaws.com/models.huggingface.co/biggan"
STYLEGAN3 = (
    "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan3/versions/1/files/stylegan3"
)
RESEFA = "https://raw.githubusercontent.com/zhujiapeng/resefa/main/directions"
TF_HUB = "https://tfhub.dev/deepmind"
AUTHORS = tuple(
    f"https://raw.githubusercontent.com/zhujiapeng/LowRankGAN/{branch}/directions"
    for branch in ("master", "main")
)


Kind = Literal["network", "directions"]


class Entry(NamedTuple):
    """A file that has a name."""

    name: str
    # None: not known, of a file at an address.
    kind: Literal["network", "directions", "settings"] | None
    what: str
    addresses: tuple[str, ...]  # the first that has the file
    size: int | None = None  # bytes, where known
    sha256: str | None = None  # where known
    network: str | None = None  # of directions: the name of that which they were found on
    settings: str | None = None  # the address of a file that belongs beside it
    path: str | None = None  # below the toolkit's folder, of what it brings along

    @property
    def file_name(self) -> str:
        """Where it lies below the cache folder, or below directions/."""
        if self.path:
            return self.path
        if self.kind == "directions":
            return f"{self.name}.npy"
        if self.settings:  # both under the names that their reader looks for
            return f"{self.name}/pytorch_model.bin"
        if self.addresses[0].startswith(TF_HUB):  # its addresses end in a version
            return f"{self.name}/{self.name}.tar.gz"
        return f"{self.name}/{self.addresses[0].rsplit('/', 1)[1]}"


def _stylegan2(name: str, what: str, size: int | None = None, sha256: str | None = None) -> Entry:
    return Entry(
        name,
        "network",
        f"StyleGAN2 config-f, {what}",
        (f"{STYLEGAN2}/stylegan2-{name}-config-f.pkl",),
        size,
        sha256,
    )


def _directions(name: str, what: str, sha256: str) -> Entry:
    network = name.partition("1024/")[0]
    return Entry(
        name,
        "directions",
        f"the authors' direction for {network}: {what}",
        tuple(f"{base}/{name}.npy" for base in AUTHORS),
        sha256=sha256,
        network=network,
    )


def _brought(name: str, kind: Kind, what: str, path: str) -> Entry:
    network = name.partition("/")[0] if kind == "directions" else None
    return Entry(name, kind, what, (), network=network, path=path)


def _resefa(name: str, what: str) -> Entry:
    network = RESEFA_NETWORKS[name.rpartition("/")[0]]
    return Entry(
        f"resefa/{name}",
        "directions",
        f"ReSeFa's direction for {network}: {what}",
        (f"{RESEFA}/{name}.npy",),
        network=network,
    )


ADA_NETWORKS = {
    "metfaces": "painted faces, 1024 x 1024",
    "afhqcat": "cats, 512 x 512",
    "afhqdog": "dogs, 512 x 512",
    "afhqwild": "wild animals, 512 x 512",
    "brecahad": "histology, 512 x 512",
    "cifar10": "CIFAR-10, 32 x 32, classes",
}
STYLEGAN3_NETWORKS = {
    "ffhq-1024x1024": "faces",
    "ffhqu-1024x1024": "faces, not aligned",
    "ffhqu-256x256": "faces, not aligned",
    "metfaces-1024x1024": "painted faces",
    "metfacesu-1024x1024": "painted faces, not aligned",
    "afhqv2-512x512": "animals' faces",
}
RESEFA_DIRECTIONS = {
    "ffhq/stylegan2/eyebrows": "eyebrows",
    "ffhq/stylegan2/eyesize": "size of the eyes",
    "ffhq/stylegan2/gaze_direction": "gaze",
    "ffhq/stylegan2/lipstick": "lipstick",
    "ffhq/stylegan2/mouth": "mouth",
    "ffhq/stylegan2/nose_length": "length of the nose",
    "ffhq/stylegan3/eyes-r": "eyes",
    "afhq/stylegan3/eyes-r": "eyes of animals",
}
RESEFA_NETWORKS = {  # that they were found on, read off their names: the files do not say
    "ffhq/stylegan2": "ffhq",
    "ffhq/stylegan3": "stylegan3-r-ffhq-1024x1024",
    "afhq/stylegan3": "stylegan3-r-afhqv2-512x512",
}
DEMO = {
    "eyes": "opens and closes the eyes",
    "gaze": "looks left and right",
    "brows": "raises the brows",
    "nose": "lengthens the nose",
    "mouth": "opens the mouth",
    "smile": "bends the mouth",
    "hair": "raises the hair",
}
OBJECTS = {
    "size": "makes it larger and smaller",
    "turn": "turns it",
    "column": "moves it left and right",
    "row": "moves it up and down",
    "background": "darkens and lightens the background",
}
ENTRIES = (
    _brought("demo", "network", "cartoon faces, 128 x 128, brought along", "demo/demo128.pkl"),
    _brought("objects", "network", "drawn objects, 64 x 64, brought along", "demo/objects64.pth"),
    *(
        _brought(f"{network}/{name}", "directions", f"{network}: {what}", f"{folder}/{name}.npy")
        for network, folder, directions in (
            ("demo", "directions/demo128", DEMO),
            ("objects", "directions/objects64", OBJECTS),
        )
        for name, what in directions.items()
    ),
    _stylegan2(
        "ffhq",
        "faces, 1024 x 1024",
        381673535,
        "adf127ea7bb8a7788c8bdeda3c9937f7310b669b09ecf799ca53a631ff46948d",
    ),
    _stylegan2("car", "cars, 512 x 384"),
    _stylegan2("cat", "cats, 256 x 256"),
    _stylegan2("church", "churches, 256 x 256"),
    _stylegan2("horse", "horses, 256 x 256"),
    *(
        Entry(name, "network", f"StyleGAN2-ADA, {what}", (f"{ADA}/{name}.pkl",))
        for name, what in ADA_NETWORKS.items()
    ),
    *(
        Entry(
            f"{name}-pytorch",
            "network",
            f"StyleGAN2-ADA-PyTorch, {what}",
            (f"{ADA_PYTORCH}/{name}.pkl",),
        )
        for name, what in ADA_NETWORKS.items()
    ),
    *(
        Entry(
            f"stylegan3-{kind}-{name}",
            "network",
            f"StyleGAN3-{kind.upper()}, {what}, {name.rpartition('-')[2].replace('x', ' x ')}",
            (f"{STYLEGAN3}-{kind}-{name}.pkl",),
        )
        for kind in ("t", "r")
        for name, what in STYLEGAN3_NETWORKS.items()
    ),
    *(
        Entry(
            f"{name}-{size}",
            "network",
            f"{what}, 1000 classes of ImageNet, {size} x {size}",
            (f"{TF_HUB}/{name}-{size}/{version}?tf-hub-format=compressed",),
        )
        for name, what, version in (("biggan", "BigGAN", 2), ("biggan-deep", "BigGAN-deep", 1))
        for size in (128, 256, 512)
    ),
    *(
        Entry(
            f"biggan-deep-{size}-pytorch",
            "network",
            f"BigGAN-deep of HuggingFace, 1000 classes of ImageNet, {size} x {size}",
            (f"{HUGGINGFACE}/biggan-deep-{size}-pytorch_model.bin",),
            settings=f"{HUGGINGFACE}/biggan-deep-{size}-config.json",
        )
        for size in (128, 256, 512)
    ),
    *(_resefa(name, what) for name, what in RESEFA_DIRECTIONS.items()),
    _directions(
        "ffhq1024/expression",
        "expression",
        "26e75ba68e1685baad1c9bbf3161d4685475f0cc339259045994d17afd320d17",
    ),
    _directions(
        "ffhq1024/eyes_size",
        "size of the eyes",
        "0fabc532ebffc47d9cc62e1508ac2a893e2660371147dcee27ae53bfc4c372a6",
    ),
    _directions(
        "ffhq1024/mouth_open",
        "opening of the mouth",
        "c3c2a21fa4cd9fabe362d54b12d96f25f5830e3797a392175f35bf178dbe5586",
    ),
    _directions(
        "ffhq1024/nose", "nose", "5d0c60518b69c708d0e15128f327c14acb283b26de8dd855b064e8983865f508"
    ),
    _directions(
        "metfaces1024/eyeballs",
        "gaze",
        "a4f0a78d9dfc2ad4a6efc34c89135ad8c719a8c4c907f81d28d887d0beac90da",
    ),
    _directions(
        "metfaces1024/eyes_size",
        "size of the eyes",
        "3407dfe946bdcac8499bf3a458c78734f57d96465679d300db02de50ca414ad9",
    ),
    _directions(
        "metfaces1024/mouth",
        "mouth",
        "fc170005802274b5a838c13a6a9e3acb3066b39283d0ea482400a3e63cf7b29a",
    ),
    _directions(
        "metfaces1024/nose",
        "nose",
        "f013d8a8bf098ab67fe131af7b3cf04ed013ae1837569eee5ce26cc1e435cd83",
    ),
)


def network_of_directions(sha256: str) -> Entry | None:
    """The network that known directions were found on, by the checksum of their file; None: they
    are not known."""
    name = next(
        (entry.network for entry in ENTRIES if entry.network and entry.sha256 == sha256), None
    )
    return next((entry for entry in ENTRIES if entry.name == name), None)


def is_known(sha256: str) -> bool:
    """Whether this is the checksum of a file in the catalogue."""
    return any(entry.sha256 == sha256 for entry in ENTRIES)


def doubt_of_directions(sha256: str, network_sha256: str) -> str | None:
    """What is odd if known directions are used on a network, by the checksums of the two files: the
    rest of a sentence about the directions. None: nothing, or they are not known."""
    known = network_of_directions(sha256)
    if not known or known.sha256 == network_sha256:
        return None
    if not known.sha256 and not is_known(network_sha256):
        return None
    return (
        f"was found on {known.name}, which this network is not, by its checksum: its effect may be "
        f"anything, unless this is {known.name} in another format"
    )
