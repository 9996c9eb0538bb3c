"""Fit the demo network to the drawn faces, by regression from z (DESIGN 9).

    python demo/train.py demo/demo128.pkl            about 100 minutes on two cores

The mapping network learns the attributes first, through a linear read-out of w. Then the synthesis network learns the
drawings at 16, 32, 64 and 128 pixels in turn, since every resolution has its own RGB output. The file gets the running
average of the weights.
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
from dnnlib.formats import tensorflow_pickle
from dnnlib.formats.record import NetworkRecord
from dnnlib.initial import initial_network
from dnnlib.networks import MappingNetwork, SynthesisNetwork

W_DIM = 64
MAPPING_STEPS, MAPPING_BATCH = 4000, 256
STAGES = ((16, 64, 1500), (32, 32, 1500), (64, 16, 2500), (128, 16, 9000))  # resolution, batch, steps
LEARNING_RATE = 3e-3
AVERAGE_OVER = 500  # steps
# Where a face differs most from the others, in the 256 frame: rows, columns, weight of the pixels in the loss.
EMPHASIS = (
    ((20, 240), (48, 208), 2),  # face and hair
    ((88, 134), (66, 190), 5),  # eyes and brows
    ((116, 168), (104, 158), 5),  # nose
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


def image_loss(images: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """L1 of the pixels, and of their differences to the next pixel below and to the right."""
    error = images - targets
    loss = tf.reduce_mean(tf.abs(error) * weights)
    for axis in (1, 2):
        size = error.shape[axis]
        difference = tf.gather(error, range(1, size), axis=axis) - tf.gather(error, range(size - 1), axis=axis)
        loss += tf.reduce_mean(tf.abs(difference) * tf.gather(weights, range(1, size), axis=axis))
    return loss


class Training:
    """The weights, their running average, and the optimizer."""

    def __init__(self, record: NetworkRecord, seed: int) -> None:
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.record = record
        fixed = ("noise", "w_avg")
        # Trained at unit variance, so that Adam's steps suit every layer: StyleGAN2's equalized learning rate.
        self.scales = {name: np.float32(np.prod(array.shape[:-1]) ** -0.5) if name.endswith("weight") else np.float32(1)
                       for name, array in record.arrays.items() if not name.endswith(fixed)}
        self.variables = {name: tf.Variable(record.arrays[name] / scale) for name, scale in self.scales.items()}
        self.read_out = tf.Variable(tf.zeros([W_DIM, len(faces.ATTRIBUTES)]))
        trained = [*self.variables.values(), self.read_out]
        self.average = [tf.Variable(variable) for variable in trained]
        self.optimizer = tf.keras.optimizers.Adam(LEARNING_RATE, beta_1=0.9, beta_2=0.99)
        self.optimizer.build(trained)

    def step_function(self, resolution: int | None):
        """One step at a resolution (None: the mapping network alone) on z, attributes and images; returns the loss."""
        names = [name for name in self.variables
                 if name.startswith("mapping/") or (resolution and _size(name) <= resolution)]
        trained = [self.variables[name] for name in names] + [self.read_out]
        weights = pixel_weights(resolution) if resolution else None

        @tf.function
        def step(z: tf.Tensor, attributes: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                arrays = self.record.arrays | {name: self.variables[name] * self.scales[name] for name in names}
                record = dataclasses.replace(self.record, resolution=resolution or 4, arrays=arrays)
                w = MappingNetwork(record, "float32")(z, tf.zeros([tf.shape(z)[0], 0]))
                loss = tf.reduce_mean((w @ self.read_out + 0.5 - attributes) ** 2)
                if resolution:
                    ws = tf.repeat(w[:, None], record.num_layers, axis=1)
                    loss += image_loss(SynthesisNetwork(record, "float32").primal(ws)[0], images, weights)
            self.optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
            keep = 1 - 1 / tf.minimum(float(AVERAGE_OVER), tf.cast(self.optimizer.iterations, tf.float32) / 10 + 1)
            for average, variable in zip(self.average, [*self.variables.values(), self.read_out], strict=True):
                average.assign(variable + keep * (average - variable))
            return loss

        return step

    def batch(self, size: int, resolution: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        z = self.random.standard_normal((size, faces.Z_DIM))
        attributes = faces.attributes(z)
        images = faces.draw(attributes, resolution) if resolution else np.zeros((size, 1, 1, 3))
        return z.astype(np.float32), attributes.astype(np.float32), images.astype(np.float32)

    def averaged_record(self) -> NetworkRecord:
        averages = {name: average.numpy() * np.float32(self.scales[name])
                    for name, average in zip(self.variables, self.average[:-1], strict=True)}
        record = dataclasses.replace(self.record, arrays=self.record.arrays | averages)
        z = np.random.RandomState(0).randn(10000, faces.Z_DIM).astype(np.float32)
        w = MappingNetwork(record, "float32")(z, tf.zeros([len(z), 0]))
        record.arrays["w_avg"] = w.numpy().mean(axis=0)
        return record


def _size(name: str) -> int:
    """The resolution of an array's layer; 4 for the constant."""
    return int(name.split("/")[0]) if name[0].isdigit() else 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="network file to write")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights and of the faces (default: 1)")
    args = parser.parse_args()

    training = Training(initial_network(128, faces.Z_DIM, W_DIM, 2, 1536, 96, args.seed), args.seed)
    for stage, (resolution, batch, steps) in enumerate(((None, MAPPING_BATCH, MAPPING_STEPS), *STAGES)):
        step_function = training.step_function(resolution)
        start, mean_loss = time.perf_counter(), 0.0
        for step in range(1, steps + 1):
            if stage == len(STAGES):  # at full resolution the learning rate falls to zero
                training.optimizer.learning_rate.assign(LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / steps)))
            mean_loss += (float(step_function(*training.batch(batch, resolution))) - mean_loss) / min(step, 100)
            if step % 100 == 0 or step == steps:
                seconds = (time.perf_counter() - start) / step
                print(f"{resolution or 'mapping'}: step {step} of {steps}, loss {mean_loss:.4f}, "
                      f"{seconds:.3f} s a step", flush=True)
            if resolution and (step % 500 == 0 or step == steps):
                temporary = Path(f"{args.path}.partial")
                tensorflow_pickle.write(training.averaged_record(), temporary, mapping_lrmul=1.0)
                temporary.replace(args.path)


if __name__ == "__main__":
    main()
