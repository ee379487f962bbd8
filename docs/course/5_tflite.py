# %% [markdown]
# # 5. What is in a .tflite
#
# A `.tflite` is no black box: it is a list of operators, a list of tensors, and the constants' bytes. This notebook
# reads one byte by byte, then as a graph, then runs it operator by operator, and looks at what a photo becomes on its
# way through. You need NumPy; bytes and offsets are explained.

# %%
import struct

import matplotlib.pyplot as plt
import numpy as np

from checking import check
from material import BASE, convert_demo, photos
from tflite_transfer.backends.runner import open_runner
from tflite_transfer.reference import Interpreter
from tflite_transfer.reference.tflite.reader import read

plt.style.use("course.mplstyle")
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## Bytes
#
# The smallest of the demo's five files computes $\mathrm{softmax}(x W + b)$. These are its first 72 bytes, in
# hexadecimal, eight to a row:

# %%
data = convert_demo().contents["inference"]
print(f"{len(data)} bytes")
for at in range(0, 72, 8):
    row = data[at : at + 8]
    text = "".join(chr(b) if 32 < b < 127 else "." for b in row)
    print(f"{at:4}  {row.hex(' ')}  {text}")

# %% [markdown]
# The format is called *flatbuffer*, and has few rules. All numbers are little-endian: the lowest byte stands first.
#
# 1. The file begins with a `uint32`: the place of the *root table*. Bytes 4 to 8 name the schema: `TFL3`.
# 2. A *table* begins with an `int32`: how far *back* its *vtable* is. The vtable says which fields there are, and
#    where.
# 3. A vtable holds `uint16`: its own size in bytes, the table's size, then one for each field of the schema, in order:
#    the field's place, counted from the table's begin; 0 for a field that is absent and has its default.
# 4. A field that is a table, a list or a text holds a `uint32`: how far *ahead* the thing itself is, counted from
#    there. A list or text begins with its length as `uint32`.
#
# The point of it: nothing needs to be parsed beforehand. A phone maps the file into memory and reads a number where it
# lies.
#
# ### Exercise 5.1
# Where does the root table begin? (`struct.unpack_from("<I", data, place)[0]` reads a `uint32`; `<i` is an `int32`,
# `<H` a `uint16`.)

# %%
root = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from flatbuffers import encode, packer, table

check(
    root,
    right=encode.Get(packer.uoffset, data, 0),
    solution=struct.unpack_from("<I", data, 0)[0],
    wrong={
        "Those are bytes 4 to 8, the letters TFL3: the place stands before them.": struct.unpack_from("<I", data, 4)[0],
        "You read the lowest byte last: the numbers are little-endian, `<`.": struct.unpack_from(">I", data, 0)[0],
        "The place is counted from the begin of the file.": struct.unpack_from("<I", data, 0)[0] + 4,
    },
)

# %% [markdown]
# ### Exercise 5.2
# Write `field(data, table, slot)`: the place of a table's field, counted from the begin of the file, or 0 where it is
# absent. `table` is the table's place, `slot` the field's number from 0. It will be tried on all eight fields of the
# root table.

# %%
field = ...  # a function of data, table and slot


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def by_library(data, at, slot):
    """With Google's package flatbuffers, which trusts every offset."""
    inside = table.Table(data, at).Offset(4 + 2 * slot)
    return at + inside if inside else 0


def place(data, table, slot):
    vtable = table - struct.unpack_from("<i", data, table)[0]
    inside = struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0]
    return table + inside if inside else 0


def mistaken(step=4, sign=-1, origin=1, absent=0):
    def found(data, table, slot):
        vtable = table + sign * struct.unpack_from("<i", data, table)[0]
        inside = struct.unpack_from("<H", data, vtable + step + 2 * slot)[0]
        return origin * table + inside if inside else absent * table

    return found


start = struct.unpack_from("<I", data, 0)[0]
check(
    field,
    right=by_library,
    solution=place,
    wrong={
        "The vtable lies back: subtract.": mistaken(sign=1),
        "The first two numbers of the vtable are sizes: the fields begin 4 bytes into it.": mistaken(step=0),
        "That is counted from the table; add where that begins.": mistaken(origin=0),
        "A field that is absent has no place: give 0.": mistaken(absent=1),
    },
    on=[(data, start, slot) for slot in range(8)],
    tolerance=0,
)

# %% [markdown]
# Which field is which says the *schema*, TensorFlow's `schema.fbs`. The product keeps it as one text
# (`reference/tflite/schema.py`), and its reader needs nothing else:

# %%
from tflite_transfer.reference.tflite.decode import decode
from tflite_transfer.reference.tflite.schema import tables

print("slot  at   field of the root table")
for slot, description in enumerate(tables()["Model"]):  # place and start: of the folded cell
    at = place(data, start, slot)
    number = struct.unpack_from("<I", data, at)[0] if at else "absent"
    print(f"{slot:4} {at:4}   {description.name}: {description.type} = {number}")

tree = decode(data, "inference.tflite")
print("\nthe first tensor, decoded:", {k: v for k, v in tree["subgraphs"][0]["tensors"][0].items() if v is not None})

# %% [markdown]
# (Slot 0, the version, is a number and stands there; what the others hold is how far ahead their lists are.)
#
# Every offset comes from the file, and a damaged or hostile file can point anywhere. So each is checked before a byte
# is read:

# %%
from tflite_transfer.errors import ModelError

for what, damaged in {"cut off": data[:1000], "one byte changed": data[:64] + b"\x07" + data[65:]}.items():
    try:
        read(damaged, "inference.tflite")
    except ModelError as e:
        print(f"{what}: {e}")

# %% [markdown]
# ## A graph
#
# `read` makes of the bytes what they mean. *Tensors* are numbered; a tensor whose bytes stand in the file is a
# constant. *Operators* name their inputs and outputs by these numbers, and stand in an order in which they can run. A
# *signature* gives names to arguments and results.

# %%
model = read(data, "inference.tflite")
for number, tensor in enumerate(model.main.tensors):
    print(f"tensor {number}: {tensor.name:11} {tensor.type} {tensor.shape}")
for operator in model.main.operators:
    print(f"{operator.opcode:13} {operator.inputs} -> {operator.outputs}")
print(model.signatures[0])

# %% [markdown]
# To run such a graph is a loop. Here is a whole interpreter for it:

# %%
KERNELS = {
    "BATCH_MATMUL": lambda a, b: a @ b,
    "ADD": lambda a, b: a + b,
    "SOFTMAX": lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
}


def interpret(graph, *given):
    """The outputs of a graph, of its inputs by position."""
    values = {i: t.data for i, t in enumerate(graph.tensors) if t.data is not None}
    values |= dict(zip(graph.inputs, given, strict=True))
    for operator in graph.operators:
        (result,) = operator.outputs
        values[result] = KERNELS[operator.opcode](*(values[i] for i in operator.inputs))
    return [values[i] for i in graph.outputs]


rng = np.random.default_rng(5)
x, ws, bs = (rng.normal(size=s).astype(np.float32) for s in ((1, 192), (192, 4), (4,)))
print("six lines:", interpret(model.main, x, ws / 10, bs)[0])
for name in ("numpy", "tflite"):
    output = open_runner(name, data).run("inference", bottleneck=x, ws=ws / 10, bs=bs)["output"]
    print(f"{name:9}:", output)

# %% [markdown]
# The product's reference is this loop, with one plain function an operator (`reference/ops/`), with checks, and with a
# bound on what a run may use.
#
# ## The base
#
# Now the large file: the network that turns a photo into features, EfficientNet-Lite0 up to its 13th block.

# %%
base = read(BASE)
kinds, counts = np.unique([o.opcode for o in base.main.operators], return_counts=True)
print(base.description, "-", f"{BASE.stat().st_size:,} bytes")
print(", ".join(f"{count} {kind}" for kind, count in zip(kinds, counts, strict=True)))

# %% [markdown]
# Its weights are stored as float16, half the size, and a DEQUANTIZE in front of each makes float32 of them when the
# model is loaded. `trace` runs the graph and tells of each operator what went in and what came out:

# %%
image = photos("train").images[40:41]  # a T-shirt
steps = list(Interpreter(base).trace("serving_default", image=image))
for step in steps[2:5]:
    print(step.op, "of", *(f"{name} {np.shape(value)}" for name, value in step.inputs.items()))

# %% [markdown]
# ### Exercise 5.3
# How many weights does it have: how many float16 numbers are stored as constants in `base.main.tensors`? Which part of
# the file's bytes is that?

# %%
weights = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
widened = [next(iter(s.outputs.values())) for s in steps if s.op == "DEQUANTIZE"]
sizes = [t.data.size for t in base.main.tensors if t.data is not None and t.type == "FLOAT16"]
check(
    weights,
    right=sum(w.size for w in widened),
    solution=sum(sizes),
    wrong={
        "Those are bytes; a float16 has two.": 2 * sum(sizes),
        "That is the number of tensors; each holds many weights.": len(sizes),
        "That is the file; how much of it are weights?": BASE.stat().st_size,
        "You counted every tensor; what is computed has a shape too, but no bytes in the file (`data` is None).": sum(
            int(np.prod(t.shape)) for t in base.main.tensors
        ),
    },
    tolerance=0,
)

# %% [markdown]
# ## What a photo becomes
#
# `steps` holds what each operator of the base was given and gave for one photo. The image shrinks, the channels grow:
# less and less *where*, more and more *what*. At the end a mean over the places leaves 192 numbers.

# %%
lines, total = [], 0
for step in (s for s in steps if s.op != "DEQUANTIZE"):
    (result,) = step.outputs.values()
    work = 0
    if "CONV" in step.op:  # filters are (O, KH, KW, I), those of a depthwise convolution (1, KH, KW, O)
        filters = list(step.inputs.values())[1]
        work = result.size * filters.size // result.shape[3]
    total += work
    lines.append(f"{step.number:4}  {step.op:17}  {result.shape!s:18} {work:12,}")
print("step  operator           result            multiplications")
print("\n".join([*lines[:8], "  ...", *lines[-6:]]))
print(f"all {len(lines)} {total:47,}")

# %%
stages = [s for s in steps if s.op == "ADD" or s.number == 4]
figure, grid = plt.subplots(3, 6, figsize=(7, 3.7))
for axes in grid.flat:
    axes.set_axis_off()
grid[0, 0].imshow(image[0])
grid[0, 0].set_title("photo", fontsize=8)
for column, i in zip(grid.T[1:], (0, 1, 2, 3, -1), strict=True):
    (result,) = stages[i].outputs.values()
    column[0].set_title("{} x {} x {}".format(*result.shape[1:]), fontsize=8)
    for channel, axes in enumerate(column):
        axes.imshow(result[0, ..., channel], cmap="gray")
plt.show()

# %% [markdown]
# Each column shows three channels after a step further in.
#
# ### Exercise 5.4
# Most of the work is in 1 x 1 convolutions. They look at one pixel at a time: the same small matrix product at each
# place. Do one yourself: from `pixels` (H, W, I), `filters` (O, 1, 1, I) and `bias` (O,) to (H, W, O), and cut the
# result off below 0 and above 6 (ReLU6, which the file has *fused* into the operator).

# %%
step = steps[13]
pixels, filters, bias = (np.squeeze(v, 0) if v.ndim == 4 and v.shape[0] == 1 else v for v in step.inputs.values())
print(step.op, pixels.shape, filters.shape, bias.shape, "bounds", step.options["bounds"])

# %%
convolved = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
(by_file,) = (v[0] for v in step.outputs.values())
w = filters[:, 0, 0]
check(
    convolved,
    right=by_file,
    solution=np.clip(pixels @ w.T + bias, 0, 6),
    wrong={
        "The fused activation is missing: nothing below 0, nothing above 6.": pixels @ w.T + bias,
        "ReLU6 also cuts off above 6.": np.maximum(pixels @ w.T + bias, 0),
        "The bias is missing; it comes before the activation.": np.clip(pixels @ w.T, 0, 6),
        "The bias comes before the activation.": np.clip(pixels @ w.T, 0, 6) + bias,
    },
)

# %% [markdown]
# LiteRT runs the same base and gives the same features, up to rounding (notebook 6):

# %%
features = {
    name: open_runner(name, BASE).run("serving_default", image=image)["bottleneck"] for name in ("numpy", "tflite")
}
apart = np.abs(features["numpy"] - features["tflite"]).max()
print(f"features reach {np.abs(features['numpy']).max():.2f} and differ by at most {apart:.1e}")

# %% [markdown]
# ## Write one
#
# What can be read can be written. $y = \max(0, 2x + 1)$ as a file that any phone runs:

# %%
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.writer import write

g = GraphBuilder()
x = g.input("x", (-1, 3))
doubled = g.op("MUL", [x, g.constant("two", np.float32(2))], "doubled", (-1, 3))
shifted = g.op("ADD", [doubled, g.constant("one", np.float32(1))], "shifted", (-1, 3))
g.output("y", g.op("RELU", [shifted], "y", (-1, 3)))
own = write(g.model("double"))
print(
    len(own),
    "bytes;",
    "by LiteRT:",
    open_runner("tflite", own).run("double", x=np.array([[-2, 0, 2]], np.float32))["y"],
)

# %% [markdown]
# ## To take along
#
# - A flatbuffer is offsets: tables point back to a vtable, fields point ahead to lists and texts. Check each before
#   use.
# - A `.tflite` is tensors, operators and constants; to run it is a loop over a table of functions.
# - `Interpreter(...).trace(...)` shows every value on the way; `tflite-transfer inspect` lists the operators.
#
# **To read.** [FlatBuffers internals](https://flatbuffers.dev/internals/). M. Tan, Q. V. Le, *EfficientNet: rethinking
# model scaling for convolutional neural networks*, ICML 2019. `reference/tflite/decode.py` is the reader, with its
# checks. Next: [float32](6_float32.ipynb).
