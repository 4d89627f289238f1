"""The classic Keras sample, as it is usually written; run by a Python that has TensorFlow.

``python keras_classic.py ARRAY.npy BATCH EPOCHS`` prints images a second of the epochs after the
first as JSON. The scans are padded to a multiple of 8: the sample pools and enlarges three times.
"""

from __future__ import annotations

import json
import sys
import time

import keras
import numpy as np
from keras import layers


def model(side: int, channels: int) -> keras.Model:
    """[conv 3x3 -> ReLU -> max-pool] x (32, 64, 128), dense 32, and the way back."""
    scan = keras.Input((side, side, channels))
    x = scan
    for width in (32, 64, 128):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    deepest = side // 8
    x = layers.Dense(32)(layers.Flatten()(x))
    x = layers.Dense(deepest * deepest * 128, activation="relu")(x)
    x = layers.Reshape((deepest, deepest, 128))(x)
    for width in (64, 32, 32):
        x = layers.UpSampling2D(2)(x)
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    out = layers.Conv2D(channels, 3, padding="same", activation="sigmoid")(x)
    found = keras.Model(scan, out)
    found.compile(optimizer="adam", loss="mse")
    return found


class Clock(keras.callbacks.Callback):
    """Seconds of every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def main(path: str, batch: int, epochs: int) -> None:
    pixels = np.load(path).transpose(0, 2, 3, 1)
    side = -(-pixels.shape[1] // 8) * 8
    room = side - pixels.shape[1]
    pixels = np.pad(pixels, ((0, 0), (0, room), (0, room), (0, 0)))
    clock = Clock()
    model(side, pixels.shape[3]).fit(
        pixels, pixels, batch_size=batch, epochs=epochs, verbose=0, callbacks=[clock]
    )
    speeds = [len(pixels) / seconds for seconds in clock.seconds[1:]]
    print(json.dumps({"images_per_second": speeds, "side": side}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
