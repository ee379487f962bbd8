# %% [markdown]
# # 6. float32: ULP, why two right backends differ, and how to bound it
#
# LiteRT and the reference compute the same formula and get different numbers. Neither is broken. This notebook shows
# where the last digits come from, why counting them in ULP accuses the innocent, and what to hold a result against
# instead. You need notebook 2, and patience with inequalities.

# %%
import matplotlib.pyplot as plt
import numpy as np

from checking import check
from material import BASE, convert_demo, photos
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.runner import open_runner
from tflite_transfer.reference import Interpreter, head
from tflite_transfer.training import epoch_batches

plt.style.use("course.mplstyle")
np.set_printoptions(precision=4, suppress=True)
rng = np.random.default_rng(6)

# %% [markdown]
# ## The grid
#
# A float32 has one bit for the sign, 8 for an exponent $e$ and 23 for the digits $d$ behind the point:
#
# $$x = \pm \, 1.d_1 d_2 \dots d_{23} \cdot 2^e \quad \text{(in base 2)}$$
#
# With the leading 1, which is not stored, that makes 24 digits. Between $2^e$ and $2^{e+1}$ the numbers lie evenly, at
# the distance $2^{e - 23}$, called a *unit in the last place*, ULP. At each power of two the distance doubles.
# `np.spacing` gives it.

# %%
for x in np.array([0.1, 1, 1.9, 2, 1000], np.float32):
    bits = f"{x.view(np.uint32):032b}"
    print(f"{x!s:7} = {bits[0]} {bits[1:9]} {bits[9:]}   stored: {float(x):.12f}   ULP: {np.spacing(x):.2e}")

figure, axes = plt.subplots()
x = np.logspace(-2, 3, 2000).astype(np.float32)
axes.loglog(x, np.spacing(x), label="ULP of x")
axes.loglog(x, x * 2.0**-24, ":", label="$x / 2^{24}$")
axes.loglog(x, x * 2.0**-23, ":", label="$x / 2^{23}$")
axes.set(xlabel="x", ylabel="distance to the next float32", title="The grid gets coarser as numbers grow")
axes.legend()
plt.show()

# %% [markdown]
# ### Exercise 6.1
# At some whole number the ULP is so large that adding 1 changes nothing any more:
# `np.float32(n) + np.float32(1) == np.float32(n)`. Which is the first such $n$?

# %%
stuck = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
powers = np.float32(2) ** np.arange(40, dtype=np.float32)
check(
    stuck,
    right=powers[powers + np.float32(1) == powers][0],
    solution=2**24,
    wrong={
        "There the ULP is just 1: n + 1 is the next number of the grid.": 2**23,
        "That is float64.": 2**53,
        "From there on the ULP is 4 and more; look for where it becomes 2.": 2**25,
        "float32 spends 8 bits on the exponent; it has fewer digits than an int32.": 2**31,
    },
    tolerance=0,
)

# %% [markdown]
# ## One operation
#
# IEEE 754 asks that $+ - \times \div$ and the root give *the number of the grid that is nearest to the exact result*.
# So the error is at most half an ULP; relative to the result, at most $u = 2^{-24} \approx 6 \cdot 10^{-8}$, as long as
# nothing over- or underflows:
#
# $$\mathrm{fl}(a \circ b) = (a \circ b)(1 + \delta), \qquad |\delta| \le u$$
#
# That is all there is to know of a single operation, and every machine has it in common. (NumPy's `finfo.eps` is $2u$.)

# %%
a, b = rng.random((2, 100_000), np.float32)
exact = a.astype(np.float64) * b  # a product of two float32 has 48 digits at most: float64 holds it exactly
figure, axes = plt.subplots()
axes.hist((a * b - exact) / exact / 2**-24, 100)
axes.set(xlabel="δ, in units of u", ylabel="products", title="Rounding errors of 100,000 products: none beyond 1")
plt.show()

# %% [markdown]
# ### Exercise 6.2
# Write `ulps(x, exact)`: how many ULP a float32 `x` is away from an exact value, a float64. The unit is the ULP at
# `exact` rounded to float32, and always positive.

# %%
ulps = ...  # a function of x and exact

# %% jupyter={"source_hidden": true} tags=["hide-input"]
near = (rng.normal(size=50) * 10.0 ** rng.integers(-3, 3, 50)).astype(np.float32)


def by_definition(x, exact):
    """Half the distance between the neighbours, for numbers inside a power of two."""
    ones = np.abs(exact.astype(np.float32))
    return np.abs(x - exact) / (np.nextafter(ones, np.float32(np.inf)) - ones.astype(np.float64))


check(
    ulps,
    right=by_definition,
    solution=lambda x, exact: np.abs(x - exact) / np.spacing(np.abs(exact.astype(np.float32))),
    wrong={
        "The spacing of a negative number is negative.": lambda x, exact: (
            np.abs(x - exact) / np.spacing(exact.astype(np.float32))
        ),
        "That is the relative error in units of eps; the ULP stays the same up to the next power of two.": (
            lambda x, exact: np.abs(x - exact) / (np.abs(exact) * 2**-23)
        ),
        "That is the spacing of float64: round `exact` first.": lambda x, exact: (
            np.abs(x - exact) / np.spacing(np.abs(exact))
        ),
        "Take the absolute value of the difference.": lambda x, exact: (
            (x - exact) / np.spacing(np.abs(exact.astype(np.float32)))
        ),
    },
    on=[(near, near * (1 + 1e-6 * rng.normal(size=50)))],
)

# %% [markdown]
# ## Many operations: the order counts
#
# $(a + b) + c$ and $a + (b + c)$ are equal on paper. Each sum is rounded, and not to the same. Here are 100,000
# numbers, added up in different orders, all in float32:

# %%
numbers = rng.normal(size=100_000).astype(np.float32) + np.float32(0.5)
true = numbers.astype(np.float64).sum()
orders = {
    "one after the other": np.cumsum(numbers)[-1],
    "backwards": np.cumsum(numbers[::-1])[-1],
    "sorted": np.cumsum(np.sort(numbers))[-1],
    "eight lanes, as a CPU's vectors": np.cumsum(np.cumsum(numbers.reshape(-1, 8), axis=0)[-1])[-1],
    "in pairs (np.sum)": numbers.sum(),
}
print(f"{'':32} {true:.6f} is right")
for order, total in orders.items():
    print(f"{order:32} {total:.6f}   off by {abs(total - true) / np.spacing(np.float32(true)):.1f} ULP")

# %% [markdown]
# A backend chooses the order that suits its machine: lanes of 4, 8 or 16, blocks that fit a cache, several threads,
# *fused* multiply-adds that round once instead of twice. So **two right programs may give different results, and the
# same program on another CPU too.** A test that asks for equal bits asks for equal machines.
#
# ## A bound that holds for every order
#
# Take a dot product $s = \sum_i x_i y_i$ of $n$ terms. Whatever the order, each term is rounded once when multiplied
# and then takes part in at most $n - 1$ additions. So what is computed is $\sum_i x_i y_i (1 + \theta_i)$, where each
# $1 + \theta_i$ is a product of at most $n$ factors $1 + \delta$. With
#
# $$\gamma_n = \frac{n u}{1 - n u} \ge \left|\theta_i\right| \qquad \text{follows} \qquad
#   \left|\hat s - s\right| \le \gamma_n \sum_i \left|x_i\right| \left|y_i\right|$$
#
# (Higham, section 3.1.) On the right stand the *absolute values of the terms*, not the result: where large terms
# cancel, the result is small and the error is not. The bound says nothing about the order, and so it is fit to judge
# any backend.
#
# ### Exercise 6.3
# Bound the error of the logits $z = x W + b$, each by itself: `(B, C)`. The features `x` (B, 192), `ws` (192, 4) and
# `bs` (4,) are a trained head's; the bias is one addition more, so take $n = 193$.

# %%
train, test = photos("train"), photos("test")
files = convert_demo("adam")
backend = open_backend("numpy", files)
params, slots = backend.initialize()
for epoch in range(20):
    batches = epoch_batches(seed=1, epoch=epoch, samples=80, batch=20)
    _, params, slots = backend.train(params, slots, train.features, train.classes, batches)
x, ws, bs = test.features, params["ws"], params["bs"]
u = 2.0**-24
gamma = 193 * u / (1 - 193 * u)

# %%
bound = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
terms = np.abs(np.concatenate([x[:, :, None] * ws, np.broadcast_to(bs, (len(x), 1, 4))], axis=1).astype(np.float64))
check(
    bound,
    right=gamma * terms.sum(axis=1),
    solution=gamma * (np.abs(x) @ np.abs(ws) + np.abs(bs)),
    wrong={
        "That is the size of the result; take the absolute values of the terms before they are added.": (
            gamma * np.abs(x @ ws + bs)
        ),
        "That is the bound of a single rounding; here up to 193 follow one another.": u * terms.sum(axis=1),
        "The bias is missing: it is a term too.": gamma * (np.abs(x) @ np.abs(ws)),
        "The terms carry a sign; a bound does not.": gamma * (x @ ws + bs),
    },
)

# %% [markdown]
# Now measure, on the 200 test photos. A file of two operators gives the logits (notebook 5 shows how one is written),
# and both backends run it. A third way is NumPy once more, but photo by photo: the same formula, and another order of
# the sums.

# %%
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.writer import write

g = GraphBuilder()
product = g.op("BATCH_MATMUL", [g.input("x", x.shape), g.constant("ws", np.array(ws))], "product", (200, 4))
g.output("z", g.op("ADD", [product, g.constant("bs", np.array(bs))], "z", (200, 4)))
linear = write(g.model("linear"))
ways = {
    "numpy": open_runner("numpy", linear).run("linear", x=x)["z"],
    "tflite": open_runner("tflite", linear).run("linear", x=x)["z"],
    "photo by photo": np.stack([photo @ ws + bs for photo in x]),
}

limit = gamma * (np.abs(x.astype(np.float64)) @ np.abs(ws) + np.abs(bs))
exact = x.astype(np.float64) @ ws.astype(np.float64) + bs
figure, (left, right) = plt.subplots(1, 2, sharey=True)
for (name, z), marker in zip(ways.items(), "ox+", strict=True):
    error = np.abs(z - exact)
    in_ulps = error / np.spacing(np.abs(exact.astype(np.float32)))
    left.loglog(np.maximum(in_ulps, 0.01).ravel(), np.abs(exact).ravel(), marker, markersize=4, alpha=0.5, label=name)
    right.loglog((error / limit).ravel(), np.abs(exact).ravel(), marker, markersize=4, alpha=0.5)
    print(f"{name:15} off by at most {in_ulps.max():6.1f} ULP, or {(error / limit).max():.3f} of the bound;", end=" ")
    print(f"{np.mean(z == ways['numpy']):.0%} of the logits are numpy's to the last bit")
left.set(xlabel="error in ULP", ylabel="|logit|", title="Counted in ULP")
right.set(xlabel="error / bound", title="Held against the bound", xlim=(1e-6, 2))
right.axvline(1, color="tab:red", linestyle="--")
left.legend(fontsize=8)
plt.show()

# %% [markdown]
# Left: the smaller a logit is, the more ULP it is off. Its terms were no smaller, they only cancelled, so nothing is
# wrong with any of the three; a limit of, say, 16 ULP would accuse them all. Right: held against their own terms, all
# errors are alike, and far below 1. They are so far below since the bound allows for all roundings to push the same
# way, while in truth they push at random: their sum grows with $\sqrt{n}$ rather than $n$ (Higham and Mary).
#
# (Backends may also agree to the last bit, as `numpy` and `tflite` do on many machines here: both then add in the same
# order.)
#
# And a real fault? One weight of 768 that is wrong by a hundredth:

# %%
faulty = ws.copy()
f, c = np.unravel_index(np.abs(ws).argmax(), ws.shape)
faulty[f, c] *= np.float32(1.01)
off = np.abs(head.logits(x, faulty, bs) - exact)[:, c] / limit[:, c]
print(
    f"{np.mean(off > 1):.0%} of the photos' logits of that class are beyond the bound, the worst {off.max():.0f} times"
)

# %% [markdown]
# A bound that holds for every order has its price: a fault a hundred times smaller would hide below it.

# %% [markdown]
# ## A whole network
#
# The base has 49 operators after one another, and the errors of one are the inputs of the next. The same file in
# float64 is the oracle: `precision="float64"`. How far is float32 from it, operator by operator?

# %%
images = train.images[::20]  # one of each class
double = Interpreter(BASE, precision="float64")
single = Interpreter(BASE)
told = []
for ours, true in zip(
    single.trace("serving_default", image=images[:1]),
    double.trace("serving_default", image=images[:1].astype(np.float64)),
    strict=True,
):
    if ours.op != "DEQUANTIZE":
        (a,), (b,) = ours.outputs.values(), true.outputs.values()
        told.append((ours.op, np.sqrt(((a - b) ** 2).mean() / (b**2).mean()) / u))

figure, axes = plt.subplots()
for op, marker in {"CONV_2D": "o", "DEPTHWISE_CONV_2D": "s", "ADD": "^", "other": "x"}.items():
    at = [i for i, (kind, _) in enumerate(told) if kind == op or (op == "other" and kind in ("MUL", "SUB", "MEAN"))]
    axes.plot(at, [told[i][1] for i in at], marker, label=op)
axes.set(xlabel="operator", ylabel="relative error, in units of u", title="float32 against float64 along the network")
axes.legend(fontsize=8)
plt.show()

# %% [markdown]
# The error grows over the first operators and then stays: each layer adds its own rounding, and its sums average away
# some of what came before. Now both backends' features of four photos, against the oracle:

# %%
oracle = double.run("serving_default", image=images.astype(np.float64))["bottleneck"]
runners = {name: open_runner(name, BASE) for name in ("numpy", "tflite")}
features = {name: runner.run("serving_default", image=images)["bottleneck"] for name, runner in runners.items()}
figure, axes = plt.subplots()
for name, value in features.items():
    error = np.abs(value - oracle)
    axes.hist(error.ravel(), np.logspace(-9, -4, 60), alpha=0.5, label=name)
    in_ulps = error / np.spacing(np.abs(oracle.astype(np.float32)))
    print(f"{name:7} error: mean {error.mean():.1e}, at most {error.max():.1e};", end=" ")
    print(f"in ULP: median {np.median(in_ulps):.0f}, at most {in_ulps.max():.0f}")
axes.set(xscale="log", xlabel="distance from the oracle", ylabel="features", title="768 features, by both backends")
axes.legend()
plt.show()

# %% [markdown]
# Hundreds or thousands of ULP at the worst place, and yet one backend is as far from the truth as the other. *Which of
# two results is right?* is mostly the wrong question; *is either further from the truth than rounding explains?* is the
# right one.
#
# ### Exercise 6.4
# Compute the share of the features (a number from 0 to 1) in which `features["numpy"]` is nearer to `oracle` than
# `features["tflite"]` is.

# %%
nearer = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
ours, theirs = (features[name].astype(np.float64) - oracle for name in ("numpy", "tflite"))
check(
    nearer,
    right=np.count_nonzero(ours**2 < theirs**2) / oracle.size,
    solution=np.mean(np.abs(features["numpy"] - oracle) < np.abs(features["tflite"] - oracle)),
    wrong={
        "That is a count; a share is asked for.": np.count_nonzero(ours**2 < theirs**2),
        "The other way round: there LiteRT is nearer.": np.mean(ours**2 > theirs**2),
        "Compare the distances, not the signed differences.": np.mean(ours < theirs),
    },
)

# %% [markdown]
# Not far from a half, as by tossing a coin; one backend may round a little less on the average. If one had a fault
# anywhere in its 49 operators, the share would be near 0 or 1.
#
# ## Where small differences grow
#
# Rounding stays small as long as what follows is smooth. Some things are not: a comparison of two nearly equal numbers,
# an `argmax` of two equal classes, a ReLU at its kink, and Adam, which divides a gradient by its own size (notebook 4).
# Where a gradient nearly cancels, its sign is decided by rounding, and the weight goes up in one backend and down in
# the other. Compare such trainings step by step from the same state, or by their losses, and not by single weights at
# the end.
#
# ## To take along
#
# - A single operation is off by half an ULP at most; the order of many is the backend's choice.
# - ULP measures the result; errors follow the *terms*. Hold sums against
#   $\gamma_n \sum \left|x_i\right| \left|y_i\right|$.
# - To judge two float32 results, take a third in float64.
#
# **To read.** D. Goldberg, *What every computer scientist should know about floating-point arithmetic*, ACM Computing
# Surveys 23, 1991. N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, second edition, SIAM 2002, chapters
# 2 to 4. N. J. Higham, T. Mary, *A new approach to probabilistic rounding error analysis*, SIAM Journal on Scientific
# Computing 41, 2019. *IEEE Standard for Floating-Point Arithmetic*, IEEE 754-2019. Back to [the course's
# overview](index.md).
