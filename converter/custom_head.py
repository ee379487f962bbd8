"""A head of the user's own, from a SavedModel, a Keras file or a .tflite: from bottlenecks to logits."""

from __future__ import annotations

from tflite_transfer.converter.head import Head, softmax_head
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.tflite.errors import ModelError, OptionError
from tflite_transfer.reference.tflite.reader import read

Shape = tuple[int, ...]


def make_head(bottleneck_shape: Shape, options: ConversionOptions) -> Head:
    """The head that the options name. Raises OptionError, ModelError where it does not fit the base or the classes."""
    batch = options.train_batch_size
    if options.head_softmax:
        assert options.classes is not None  # a softmax head's default
        return softmax_head(bottleneck_shape, options.classes, batch, options.head_l2_reg)
    head = Head(_network(options), batch)
    function = head.network.infer
    taken, given = function.graph[function.x].shape[1:], function.graph[function.output].shape
    if taken != bottleneck_shape:
        advice = " --base_pooling avg makes features of the last axis." if taken == bottleneck_shape[-1:] else ""
        raise ModelError(
            f"{head.network.source} takes {taken} for each example, and the base gives {bottleneck_shape}.{advice}"
        )
    if len(given) != 2 or given[1] < 2:
        raise ModelError(f"{head.network.source} must give (B, C) logits of 2 or more classes, but gives {given}.")
    if options.classes not in (None, head.classes):
        raise OptionError(f"--num_classes is {options.classes}, and {head.network.source} has {head.classes} classes.")
    names = options.class_names
    if names is not None and len(names) != head.classes:
        raise OptionError(f"--class_names are {len(names)}, and {head.network.source} has {head.classes} classes.")
    return head


def _network(options: ConversionOptions) -> Network:
    """Of five files none keeps the network's own state: batch norms use their moving means, and nothing is dropped."""
    if options.head_tflite is not None:
        from tflite_transfer.converter.networks.from_tflite import network_of

        return network_of(read(options.head_tflite))
    if options.head_keras_model is not None:
        from tflite_transfer.converter.networks.from_keras import load_keras
        from tflite_transfer.converter.networks.from_keras import network_of as of_keras

        path = options.head_keras_model
        return of_keras(load_keras(path), source=path.name, stateless=options.one_file is None)
    from tflite_transfer.converter.networks.from_saved_model import load_saved_model
    from tflite_transfer.converter.networks.from_saved_model import network_of as of_saved_model

    assert options.head_model_dir is not None  # options.check() has seen to it
    return of_saved_model(load_saved_model(options.head_model_dir), source=str(options.head_model_dir))
