"""Fit the demo's BigGAN to the drawn objects, by regression from z and the class.

    python demo/train_objects.py demo/objects64.pth            about 90 minutes on two cores

The batch norms get their statistics from the untrained network and keep them; their gains and
biases learn. The loss is that of the faces, at full size and at half and a quarter of it. Pixels of
the object count more than those of the background, and small parts, such as a leaf or a tail, more
than large ones. The file gets the running average of the
weights, as a state dict of BigGAN-PyTorch without spectral norms.
"""

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import tensorflow as tf

from demo import objects
from demo.fitting import Weights, image_loss
from demo.initial_biggan import initial_biggan
from demo.torch_checkpoint import write_state_dict
from dnnlib.families import read_network
from dnnlib.families.biggan.network import BigGAN
from dnnlib.families.biggan.record import BigGANRecord
from utils.files.writing import replacing

RESOLUTION, CHANNELS, CLASS_DIM = 64, (160, 160, 80, 40, 24), 16
ATTENTION_AFTER = 3  # blocks: at 32 x 32 pixels
BATCH, STEPS, LEARNING_RATE = 16, 20000, 2e-3
OBJECT_WEIGHT = 3  # of an object's pixel in the loss, against one of the background
DETAIL_WEIGHT, DETAIL_SIZE = 6, 9  # of what differs from the mean over so many pixels around
FIXED = ("mean", "variance")
CONDITIONAL = ("gain", "bias")


def measure_statistics(record: BigGANRecord, random: np.random.Generator) -> None:
    """Give every batch norm the mean and variance of its input, over 256 images."""
    z = random.standard_normal((256, record.z_dim)).astype(np.float32)
    labels = np.eye(record.label_dim, dtype=np.float32)[np.arange(256) % record.label_dim]
    for i in range(len(record.up_samples)):
        for k in (0, 1):  # each changes the input of the next
            network = BigGAN(record, "float32")
            kept = network.primal(network.mapping(z, labels))[1].blocks[i].norms[k]
            mean, variance = tf.nn.moments(kept.x, axes=[0, 1, 2])
            record.arrays[f"{i}/norm{k}/mean"] = mean.numpy()
            record.arrays[f"{i}/norm{k}/variance"] = variance.numpy()


class Training:
    """The weights, their running average, and the optimizer."""

    def __init__(self, record: BigGANRecord, random: np.random.Generator) -> None:
        self.record, self.random = record, random
        arrays = {name: array for name, array in record.arrays.items() if not name.endswith(FIXED)}
        self.weights = Weights(arrays, (name for name in arrays if arrays[name].ndim > 1))
        self.optimizer = tf.keras.optimizers.Adam(LEARNING_RATE, beta_1=0.9, beta_2=0.99)
        self.optimizer.build(list(self.weights.variables.values()))
        self.step = tf.function(self._step)

    def _step(
        self, z: tf.Tensor, labels: tf.Tensor, images: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """One step of the optimizer and of the running average; returns the loss."""
        trained = self.weights.variables
        variables = list(trained.values())
        with tf.GradientTape() as tape:
            arrays = self.record.arrays | self.weights.effective(trained)
            record = dataclasses.replace(self.record, arrays=arrays)
            network = BigGAN(record, "float32")
            made = network.primal(network.mapping(z, labels))[0]
            weights *= 1 + DETAIL_WEIGHT * details(images)
            loss = tf.zeros([])
            for size in (1, 2, 4):
                pooled = [tf.nn.avg_pool2d(x, size, size, "VALID") for x in (made, images, weights)]
                loss += image_loss(*pooled)
        gradients = tape.gradient(loss, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self.weights.average(trained, self.optimizer.iterations)
        return loss

    def batch(self) -> tuple[np.ndarray, ...]:
        """Random z and classes, the drawn objects, and the weights of their pixels."""
        z = self.random.standard_normal((BATCH, objects.Z_DIM))
        classes = self.random.integers(len(objects.CLASSES), size=BATCH)
        attributes = objects.attributes(z)
        images = objects.draw(attributes, classes, RESOLUTION)
        inside = objects.draw_masks(attributes, classes, RESOLUTION)[..., None]
        weights = np.where(inside, OBJECT_WEIGHT, 1).astype(np.float32)
        labels = np.eye(len(objects.CLASSES), dtype=np.float32)[classes]
        return z.astype(np.float32), labels, images, weights

    def averaged_record(self) -> BigGANRecord:
        """The network of the averaged weights."""
        arrays = self.record.arrays | self.weights.averaged()
        return dataclasses.replace(self.record, arrays=arrays)


def details(images: tf.Tensor) -> tf.Tensor:
    """How much each pixel differs from the mean of those around it: [N, R, R, 1]."""
    around = tf.nn.avg_pool2d(images, DETAIL_SIZE, 1, "SAME")
    return tf.reduce_mean(tf.abs(images - around), axis=3, keepdims=True)


def state_dict(record: BigGANRecord) -> dict[str, np.ndarray]:
    """The arrays by BigGAN-PyTorch's names, which dnnlib/families/biggan/pytorch.py lists."""
    arrays, found = record.arrays, {"shared.weight": record.arrays["embedding"]}

    def add_convolution(name: str, layer: str) -> None:
        found[f"{name}.weight"] = arrays[f"{layer}/weight"].transpose(3, 2, 0, 1)
        found[f"{name}.bias"] = arrays[f"{layer}/bias"]

    def add_statistics(name: str, layer: str) -> None:
        for stored, part in (("stored_mean", "mean"), ("stored_var", "variance")):
            found[f"{name}.{stored}"] = arrays[f"{layer}/{part}"]

    weight = arrays["linear/weight"]  # [in, 4 4 C], to [C 4 4, in]
    found["linear.weight"] = (
        weight.reshape(len(weight), 16, -1).transpose(2, 1, 0).reshape(-1, len(weight))
    )
    found["linear.bias"] = arrays["linear/bias"].reshape(16, -1).T.ravel()
    chunk = record.slots[0].stop
    for i in range(len(record.up_samples)):
        for k in (0, 1):
            norm = f"blocks.{i}.0.bn{k + 1}"
            for part in CONDITIONAL:  # rows [z, class], to columns [class, z]
                found[f"{norm}.{part}.weight"] = np.roll(
                    arrays[f"{i}/norm{k}/{part}"], -chunk, axis=0
                ).T
            add_statistics(norm, f"{i}/norm{k}")
            add_convolution(f"blocks.{i}.0.conv{k + 1}", f"{i}/conv{k}")
        add_convolution(f"blocks.{i}.0.conv_sc", f"{i}/shortcut")
        if f"{i}/attention/gamma" in arrays:
            for part in ("theta", "phi", "g", "o"):
                matrix = arrays[f"{i}/attention/{part}"].T
                found[f"blocks.{i}.1.{part}.weight"] = matrix[:, :, None, None]
            found[f"blocks.{i}.1.gamma"] = arrays[f"{i}/attention/gamma"]
    for part in CONDITIONAL:
        found[f"output_layer.0.{part}"] = arrays[f"output/norm/{part}"]
    add_statistics("output_layer.0", "output/norm")
    add_convolution("output_layer.2", "output")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", help="network file to write")
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the weights and objects (default: 1)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help=f"(default: {STEPS})")
    parser.add_argument("--go_on", action="store_true", help="start from the file of that path")
    args = parser.parse_args()

    random = np.random.Generator(np.random.PCG64([args.seed, args.go_on]))
    if args.go_on:
        record = read_network(args.path)
        if not isinstance(record, BigGANRecord):
            parser.error(f"{args.path} holds no BigGAN; expected what an earlier run wrote")
    else:
        record = initial_biggan(
            CHANNELS,
            objects.CHUNK_SIZE,
            len(objects.CLASSES),
            CLASS_DIM,
            ATTENTION_AFTER,
            args.seed,
        )
        measure_statistics(record, random)
    training = Training(record, random)
    start, mean_loss = time.perf_counter(), 0.0
    for step in range(1, args.steps + 1):
        rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / args.steps))
        training.optimizer.learning_rate.assign(rate)
        mean_loss += (float(training.step(*training.batch())) - mean_loss) / min(step, 100)
        if step % 100 == 0 or step == args.steps:
            seconds = (time.perf_counter() - start) / step
            print(
                f"step {step} of {args.steps}, loss {mean_loss:.4f}, {seconds:.3f} s a step",
                flush=True,
            )
        if step % 500 == 0 or step == args.steps:
            with replacing(Path(args.path)) as partial:
                write_state_dict(state_dict(training.averaged_record()), partial)


if __name__ == "__main__":
    main()
