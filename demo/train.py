"""Fit the demo network to the drawn faces, by regression from z.

    python demo/train.py demo/demo128.pkl                      about 75 minutes on two cores
    python demo/train.py demo/demo128.pkl --from_stage 6       go on with the last stage

The mapping network learns the attributes first, through a linear read-out of w. Then the synthesis
network learns the drawings at 16, 32, 64 and 128 pixels in turn, since every resolution has its own
RGB output. Each stage starts from the running average of the weights of the one before, which is
what the file gets.
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

from demo import faces
from demo.fitting import Weights, image_loss
from demo.initial import initial_network
from demo.tensorflow_pickle import write_network
from dnnlib.families import read_network
from dnnlib.families.stylegan2.network import StyleGAN2
from dnnlib.families.stylegan2.record import StyleGAN2Record

# Resolution (None: the mapping network alone), batch, steps.
STAGES = (
    (None, 256, 12000),
    (16, 32, 2000),
    (32, 32, 2000),
    (64, 16, 3000),
    (128, 16, 7500),
    (64, 16, 1200),
    (128, 16, 2200),
)  # once more, for the details
LEARNING_RATE = 3e-3
ATTRIBUTE_WEIGHT = 10  # of the squared error of the read-out, against the image loss
# Where a face differs most from the others, in the 256 frame: rows, columns, weight of the pixels
# in the loss.
EMPHASIS = (
    ((20, 240), (48, 208), 2),  # face and hair
    ((88, 134), (66, 190), 5),  # eyes and brows
    ((116, 168), (104, 158), 8),  # nose
    ((164, 204), (84, 170), 5),  # mouth
)


def pixel_weights(resolution: int) -> np.ndarray:
    """Weights [1, R, R, 1] of mean 1."""
    weights = np.ones((256, 256), np.float32)
    for (top, bottom), (left, right), weight in EMPHASIS:
        weights[top:bottom, left:right] = np.maximum(weights[top:bottom, left:right], weight)
    step = 256 // resolution
    weights = weights.reshape(resolution, step, resolution, step).mean(axis=(1, 3))
    return (weights / weights.mean())[None, :, :, None]


class Stage:
    """The weights, their running average, and the optimizer, at one resolution."""

    def __init__(
        self, record: StyleGAN2Record, resolution: int | None, random: np.random.Generator
    ) -> None:
        self.record, self.resolution, self.random = record, resolution, random
        arrays = {
            name: array
            for name, array in record.arrays.items()
            if not name.endswith(("noise", "w_avg"))
        }
        self.weights = Weights(arrays, (name for name in arrays if name.endswith("weight")))
        self.read_out = tf.Variable(tf.zeros([record.w_dim, len(faces.ATTRIBUTES)]))
        self.trained = {
            name: variable
            for name, variable in self.weights.variables.items()
            if name.startswith("mapping/") or (resolution and _size(name) <= resolution)
        }
        self.optimizer = tf.keras.optimizers.Adam(LEARNING_RATE, beta_1=0.9, beta_2=0.99)
        self.optimizer.build([*self.trained.values(), self.read_out])
        self.pixel_weights = pixel_weights(resolution) if resolution else None
        self.step = tf.function(self._step)

    def _step(self, z: tf.Tensor, attributes: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """One step of the optimizer and of the running average; returns the loss."""
        with tf.GradientTape() as tape:
            loss = self._loss(z, attributes, images)
        variables = [*self.trained.values(), self.read_out]
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.weights.average(self.trained, self.optimizer.iterations)
        return loss

    def _loss(self, z: tf.Tensor, attributes: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        arrays = self.record.arrays | self.weights.effective(self.trained)
        record = dataclasses.replace(self.record, resolution=self.resolution or 4, arrays=arrays)
        network = StyleGAN2(record, "float32")
        codes = network.mapping(z, tf.zeros([tf.shape(z)[0], 0]))
        w = codes[:, 0]
        loss = ATTRIBUTE_WEIGHT * tf.reduce_mean((w @ self.read_out + 0.5 - attributes) ** 2)
        if self.resolution:
            loss += image_loss(network.primal(codes)[0], images, self.pixel_weights)
        return loss

    def batch(self, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Random z, their attributes, and the drawn faces."""
        z = self.random.standard_normal((size, faces.Z_DIM))
        attributes = faces.attributes(z)
        images = (
            faces.draw(attributes, self.resolution)
            if self.resolution
            else np.zeros((size, 1, 1, 3))
        )
        return z.astype(np.float32), attributes.astype(np.float32), images.astype(np.float32)

    def averaged_record(self) -> StyleGAN2Record:
        """The network of the averaged weights, with w_avg over 10,000 z."""
        arrays = self.record.arrays | self.weights.averaged()
        record = dataclasses.replace(self.record, arrays=arrays)
        z = np.random.RandomState(0).randn(10000, faces.Z_DIM).astype(np.float32)
        codes = StyleGAN2(record, "float32").mapping(z, tf.zeros([len(z), 0]))
        record.arrays["w_avg"] = codes[:, 0].numpy().mean(axis=0)
        return record


def _size(name: str) -> int:
    """The resolution of an array's layer; 4 for the constant."""
    return int(name.split("/")[0]) if name[0].isdigit() else 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", help="network file to write")
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the weights and of the faces (default: 1)"
    )
    parser.add_argument(
        "--w_dim", type=int, default=64, help="width of w; benchmarks use 512 (default: 64)"
    )
    parser.add_argument("--from_stage", type=int, default=0, help="first stage to run (default: 0)")
    args = parser.parse_args()

    if args.from_stage:
        record = read_network(args.path)
        if not isinstance(record, StyleGAN2Record):
            parser.error(f"{args.path} holds no StyleGAN2; expected what an earlier run wrote")
    else:
        record = initial_network(128, faces.Z_DIM, args.w_dim, 2, 1024, 96, args.seed)
    for k, (resolution, batch_size, steps) in list(enumerate(STAGES))[args.from_stage :]:
        stage = Stage(record, resolution, np.random.Generator(np.random.PCG64([args.seed, k])))
        start, mean_loss = time.perf_counter(), 0.0
        for step in range(1, steps + 1):
            if resolution in (
                None,
                128,
            ):  # the mapping network and full resolution end with a learning rate of zero
                stage.optimizer.learning_rate.assign(
                    LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
                )
            mean_loss += (float(stage.step(*stage.batch(batch_size))) - mean_loss) / min(step, 100)
            if step % 100 == 0 or step == steps:
                seconds = (time.perf_counter() - start) / step
                print(
                    f"{resolution or 'mapping'}: step {step} of {steps}, loss {mean_loss:.4f}, "
                    f"{seconds:.3f} s a step",
                    flush=True,
                )
            if step % 500 == 0 or step == steps:
                record = stage.averaged_record()
                temporary = Path(f"{args.path}.partial")
                write_network(record, temporary, mapping_lrmul=1.0)
                temporary.replace(args.path)


if __name__ == "__main__":
    main()
