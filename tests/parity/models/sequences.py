"""Networks that look at sequences, sounds and texts, made with Keras. Each takes the module ``tensorflow``."""

from __future__ import annotations

from typing import Any

STEPS, FEATURES, WORDS = 12, 8, 100


def lstm(tf: Any, *, unroll: bool) -> Any:
    """A classifier of sequences: a WHILE, or a copy of its body for each step."""
    layers = tf.keras.layers
    x = layers.Input((STEPS, FEATURES), batch_size=1)
    return tf.keras.Model(x, layers.Dense(5, activation="softmax")(layers.LSTM(32, unroll=unroll)(x)))


def transformer(tf: Any) -> Any:
    """Two layers of attention, Vaswani et al. 2017, and a classifier of what they say on average."""
    layers = tf.keras.layers
    x = y = layers.Input((10, 32), batch_size=1)
    for _ in range(2):
        y = layers.LayerNormalization()(y + layers.MultiHeadAttention(4, 8)(y, y))
        y = layers.LayerNormalization()(y + layers.Dense(32)(layers.Dense(64, activation="gelu")(y)))
    return tf.keras.Model(x, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling1D()(y)))


def sounds(tf: Any) -> Any:
    """A quarter of a second at 16 kHz -> its spectrum in each of 31 windows, as Mel bands -> convolutions."""
    layers = tf.keras.layers
    bands = tf.signal.linear_to_mel_weight_matrix(20, 129, 16000)

    def spectrogram(x: Any) -> Any:
        spectrum = tf.abs(tf.signal.stft(x, frame_length=256, frame_step=128))
        return tf.math.log(spectrum @ bands + 1e-3)[..., None]

    x = layers.Input((4096,), batch_size=1)
    y = layers.Lambda(spectrogram, output_shape=(31, 20, 1))(x)
    for channels in (8, 16):
        y = layers.MaxPooling2D()(layers.Conv2D(channels, 3, padding="same", activation="relu")(y))
    return tf.keras.Model(x, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(y)))


def texts(tf: Any) -> Any:
    """Words by number -> convolutions over their vectors -> the largest of each channel."""
    layers = tf.keras.layers
    x = layers.Input((24,), batch_size=1, dtype="int32")
    y = layers.Embedding(WORDS, 16)(x)
    y = layers.MaxPooling1D(2)(layers.Conv1D(24, 3, padding="same", activation="relu")(y))
    y = layers.GlobalMaxPooling1D()(layers.Conv1D(24, 3, padding="same", activation="relu")(y))
    return tf.keras.Model(x, layers.Dense(5, activation="softmax")(y))
