"""Networks that look at images, made with Keras. Each takes the module ``tensorflow`` and the size of its image."""

from __future__ import annotations

from functools import partial
from typing import Any


def mobilenet_v1(tf: Any, size: int, width: float) -> Any:
    return tf.keras.applications.MobileNet((size, size, 3), alpha=width, weights=None)


def mobilenet_v2(tf: Any, size: int, width: float) -> Any:
    return tf.keras.applications.MobileNetV2((size, size, 3), alpha=width, weights=None)


def mobilenet_v3_small(tf: Any, size: int) -> Any:
    return tf.keras.applications.MobileNetV3Small((size, size, 3), weights=None)


def mobilenet_v3_large(tf: Any, size: int) -> Any:
    return tf.keras.applications.MobileNetV3Large((size, size, 3), weights=None)


# Tan and Le 2019, Lite: kernel, channels, stride of the first, blocks.
STAGES = ((3, 16, 1, 1), (3, 24, 2, 2), (5, 40, 2, 2), (3, 80, 2, 3), (5, 112, 1, 3), (5, 192, 2, 4), (3, 320, 1, 1))


def efficientnet_lite0(tf: Any, size: int, width: float) -> Any:
    """Blocks that expand, filter each channel and project, without squeeze-excite."""
    layers = tf.keras.layers

    def conv(y: Any, make: Any, name: str | None = None, **options: Any) -> Any:
        return layers.BatchNormalization(epsilon=1e-3)(make(padding="same", use_bias=False, name=name, **options)(y))

    def block(y: Any, kernel: int, channels: int, stride: int, *, expand: bool, name: str) -> Any:
        z = y
        if expand:
            z = layers.ReLU(6)(conv(z, partial(layers.Conv2D, 6 * y.shape[-1], 1), name=f"{name}_expand"))
        z = layers.ReLU(6)(conv(z, partial(layers.DepthwiseConv2D, kernel), strides=stride))
        z = conv(z, partial(layers.Conv2D, int(width * channels), 1), name=f"{name}_project")
        return layers.Add()([y, z]) if y.shape == z.shape else z

    x = layers.Input((size, size, 3), batch_size=1)
    y = layers.ReLU(6)(conv(x, partial(layers.Conv2D, int(width * 32), 3), strides=2))
    for number, (kernel, channels, stride, count) in enumerate(STAGES):
        for n in range(count):
            name = f"block_{number}_{n}"
            y = block(y, kernel, channels, 1 if n else stride, expand=number > 0, name=name)
    y = layers.ReLU(6)(conv(y, partial(layers.Conv2D, int(width * 1280), 1)))
    return tf.keras.Model(x, layers.Dense(1000, activation="softmax")(layers.GlobalAveragePooling2D()(y)))


def resnet(tf: Any, size: int) -> Any:
    """Three blocks, each normalised before it computes: He et al. 2016, Identity mappings."""
    layers = tf.keras.layers

    def ready(y: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(y))

    def conv(y: Any, channels: int, kernel: int, stride: int = 1) -> Any:
        return layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False)(y)

    x = layers.Input((size, size, 3), batch_size=1)
    y = conv(x, 8, 3)
    for channels, stride in ((8, 1), (16, 2), (32, 2)):
        z = ready(y)
        around = y if stride == 1 else conv(z, channels, 1, stride)
        y = layers.Add()([around, conv(ready(conv(z, channels, 3, stride)), channels, 3)])
    return tf.keras.Model(x, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(ready(y))))
