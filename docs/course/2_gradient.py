# %% [markdown]
# # 2. The gradient p − y: by hand, by finite differences, from the file
#
# Training needs one thing: how the loss changes when a parameter does. For softmax and cross-entropy together the
# answer is so short that it fits into this title. This notebook derives it, doubts it, and finds it in the file that
# runs on the phone. You need notebook 1 and the chain rule.

# %%
import matplotlib.pyplot as plt
import numpy as np

from checking import check
from material import CLASSES, convert_demo, photos
from tflite_transfer.backends import open_backend
from tflite_transfer.reference import Interpreter, head

plt.style.use("course.mplstyle")
np.set_printoptions(precision=4, suppress=True)

rng = np.random.default_rng(2)
train = photos("train")
x, y = train.features[::4], train.labels[::4]  # a batch: B = 20 photos, 5 of each class
ws = rng.normal(0, 0.05, (192, 4)).astype(np.float32)  # some weights: not zeros, which hide mistakes
bs = rng.normal(0, 0.05, 4).astype(np.float32)
p = head.predict(x, ws, bs)
print("x", x.shape, " y", y.shape, " W", ws.shape, " b", bs.shape, " p", p.shape)

# %% [markdown]
# ## By hand
#
# Take one example, with logits $z$, probabilities $p = \mathrm{softmax}(z)$ and a one-hot label $y$. Its loss, from
# notebook 1, is
#
# $$L = -\sum_k y_k \log p_k = -\sum_k y_k z_k + \log \sum_k e^{z_k}$$
#
# for $\log p_k = z_k - \log \sum_j e^{z_j}$ and $\sum_k y_k = 1$. Differentiate by one logit $z_c$. The first sum gives
# $-y_c$. The logarithm gives, by the chain rule, one over the sum, times $e^{z_c}$: that is $p_c$.
#
# $$\frac{\partial L}{\partial z_c} = p_c - y_c$$
#
# What the network said, less what is true. Each class that got too much probability is pushed down by just that much;
# the true one is pulled up by what it lacks; and the pushes sum to 0, since both $p$ and $y$ sum to 1.

# %%
shown = 12
error = p[shown] - y[shown]
figure, (left, middle, right) = plt.subplots(1, 3, width_ratios=(1, 1.5, 1.5))
left.imshow(train.images[::4][shown])
left.set_axis_off()
middle.barh(CLASSES, p[shown], label="$p$", height=0.4)
middle.barh(np.arange(4) + 0.4, y[shown], label="$y$", height=0.4, color="tab:gray")
middle.legend()
right.barh(CLASSES, -error, color=np.where(error > 0, "tab:red", "tab:green"))
right.set(title="where a step moves each logit, $y - p$", yticks=[])
print("p - y =", error, " sum:", f"{error.sum():.1e}")
plt.show()

# %% [markdown]
# For a batch the loss is the *mean* over the examples, so each row is divided by $B$:
#
# $$\frac{\partial L}{\partial z} = \frac{p - y}{B} \qquad (B, C)$$
#
# ### Exercise 2.1
# Write this gradient of the batch, with the arrays `p` and `y` from above.

# %%
dz = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
of_file = {
    name: value
    for step in Interpreter(convert_demo().contents["train_head"]).trace(None, bottleneck=x, labels=y, ws=ws, bs=bs)
    for name, value in step.outputs.items()
}
check(
    dz,
    right=of_file["loss/div"],  # as the file computes it
    solution=(p - y) / len(p),
    wrong={
        "The sign is turned round: a gradient points to where the loss grows.": (y - p) / len(p),
        "That is each example's own gradient; the loss is their mean, so divide by B.": p - y,
        "You divide by the number of classes; the mean is over the examples.": (p - y) / 4,
        "That is the mean over the batch; a row for each example is asked for.": (p - y).mean(axis=0),
    },
)

# %% [markdown]
# ## From the logits to weights and bias
#
# $z = x W + b$ is linear. The weight $W_{fc}$ takes part in $z_{ic}$ of each example $i$, with the factor $x_{if}$; the
# bias $b_c$ with the factor 1. The chain rule sums over the examples:
#
# $$\frac{\partial L}{\partial W_{fc}} = \sum_i x_{if} \frac{\partial L}{\partial z_{ic}} \qquad
#   \frac{\partial L}{\partial b_c} = \sum_i \frac{\partial L}{\partial z_{ic}}$$
#
# As matrices, $g_W = x^T \, \partial L / \partial z$. If you forget which side is transposed, let the shapes tell:
# $(F, B)(B, C) \to (F, C)$ is the only product that has the shape of $W$.
#
# ### Exercise 2.2
# Write both gradients, with `x`, `p` and `y`; first that of the weights `(F, C)`, then that of the bias `(C,)`.

# %%
g_ws = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
g = head.gradients(x, y, ws, bs)
check(
    g_ws,
    right=g.ws,
    solution=x.T @ (p - y) / len(x),
    wrong={
        "That is the sum over the examples: the loss is a mean, divide by B.": x.T @ (p - y),
        "The sign is turned round.": x.T @ (y - p) / len(x),
        "Transposed: it must have the shape of W.": (p - y).T @ x / len(x),
        "You divide by B twice: once for the mean is all.": x.T @ (p - y) / len(x) ** 2,
    },
)

# %%
g_bs = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
check(
    g_bs,
    right=g.bs,
    solution=(p - y).mean(axis=0),
    wrong={
        "That is the sum over the examples: divide by B.": (p - y).sum(axis=0),
        "You sum over the classes; the bias has a number for each of them.": (p - y).mean(axis=1),
        "The sign is turned round.": (y - p).mean(axis=0),
    },
)

# %% [markdown]
# ## By finite differences
#
# A derivation can be wrong, and so can code. The definition of the derivative is a check that knows nothing of either:
# move a parameter a little and look at the loss. For any direction $v$ in the space of all parameters $\theta$:
#
# $$\langle g, v \rangle \approx \frac{L(\theta + h v) - L(\theta - h v)}{2 h}$$
#
# One random direction mixes all 772 numbers of $g$, so that a mistake in any of them shows. (A test that checks the
# first 30 parameters, as was once usual for these files, cannot see the others.) Central differences are used since
# their error shrinks with $h^2$; the one-sided $(L(\theta + h v) - L(\theta)) / h$ has an error that shrinks with $h$
# only.


# %%
def loss_at(h, dtype=np.float64):
    """The loss at theta + h v, computed in dtype."""
    wide = [a.astype(dtype) for a in (x, y, ws, bs, v_ws, v_bs)]
    x_, y_, ws_, bs_, v_ws_, v_bs_ = wide
    z = head.logits(x_, ws_ + dtype(h) * v_ws_, bs_ + dtype(h) * v_bs_)
    return -(y_ * head.log_softmax(z)).sum(axis=1).mean()


v_ws, v_bs = rng.normal(size=ws.shape), rng.normal(size=bs.shape)
exact = head.gradients(*(a.astype(np.float64) for a in (x, y, ws, bs)))
slope = (exact.ws * v_ws).sum() + (exact.bs * v_bs).sum()
print(f"by the formula      {slope:.10f}")
print(f"by differences      {(loss_at(1e-5) - loss_at(-1e-5)) / 2e-5:.10f}")
print(f"one-sided           {(loss_at(1e-5) - loss_at(0)) / 1e-5:.10f}")

# %% [markdown]
# ### Exercise 2.3
# Write the central difference of any function `f` of one number, at 0.

# %%
my_central = ...  # a function of f and h

# %% jupyter={"source_hidden": true} tags=["hide-input"]
check(
    my_central,
    right=lambda f, h: slope,
    solution=lambda f, h: (f(h) - f(-h)) / (2 * h),
    wrong={
        "The two points are 2 h apart.": lambda f, h: (f(h) - f(-h)) / h,
        "That is one-sided: also right for h towards 0, but much further off here.": lambda f, h: (f(h) - f(0)) / h,
        "The sign is turned round.": lambda f, h: (f(-h) - f(h)) / (2 * h),
    },
    on=[(loss_at, 1e-4)],
)

# %% [markdown]
# ### How small is small?
# The smaller $h$, the smaller the error of the formula; but the two losses then agree in more and more digits, and what
# is left of them after subtracting is rounding. So the error has two parts. With $u$ the rounding of one loss
# ($2^{-24}$ in float32, $2^{-53}$ in float64), $L$ the loss and $M$ the third derivative along $v$:
#
# $$\text{error}(h) \approx \frac{u L}{h} + \frac{h^2 M}{6}$$

# %%
steps = np.logspace(-12, 0, 49)
figure, axes = plt.subplots()
for dtype, colour in ((np.float64, "tab:blue"), (np.float32, "tab:orange")):
    one_sided = [abs((loss_at(h, dtype) - loss_at(0, dtype)) / h - slope) for h in steps]
    two_sided = [abs((loss_at(h, dtype) - loss_at(-h, dtype)) / (2 * h) - slope) for h in steps]
    axes.loglog(steps, np.maximum(two_sided, 1e-12), color=colour, label=f"central, {dtype.__name__}")
    axes.loglog(steps, np.maximum(one_sided, 1e-12), ":", color=colour, label=f"one-sided, {dtype.__name__}")
axes.set(
    xlabel="h", ylabel="error of the slope", title="Left: rounding. Right: the formula's own error", ylim=(1e-12, 1e5)
)
axes.legend(fontsize=8, ncols=2)
plt.show()

# %% [markdown]
# In float32 even the best $h$ leaves an error of $10^{-4}$, and a bad one makes it useless; in float64 it is a hundred
# thousand times smaller. Whoever checks gradients by differences of float32 losses must allow so much error that real
# mistakes fit into it. Therefore: differences in float64, always.
#
# ### Exercise 2.4
# Where is the bottom of the valley? Find the $h$ that makes the sum of both parts smallest, as a function of $u$, $L$
# and $M$. (Differentiate by $h$, set to 0.)

# %%
best_h = ...  # a function of u, L and M


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def by_search(u, L, M):
    h = np.logspace(-8, 0, 200_001)
    return h[(u * L / h + h**2 * M / 6).argmin()]


check(
    best_h,
    right=by_search,
    solution=lambda u, L, M: (3 * u * L / M) ** (1 / 3),
    wrong={
        "A square root belongs to the one-sided difference; here h stands as 1/h² and h after differentiating.": (
            lambda u, L, M: (3 * u * L / M) ** (1 / 2)
        ),
        "Where both parts are equal is near, but not the lowest point: differentiate.": (
            lambda u, L, M: (6 * u * L / M) ** (1 / 3)
        ),
        "Mind the factors: h² / 6 differentiates to h / 3.": lambda u, L, M: (u * L / M) ** (1 / 3),
    },
    on=[(2**-24, 1.4, 20.0), (2**-53, 1.4, 3.0)],
    tolerance=1e-3,
)

# %% [markdown]
# ## From the file
#
# `train_head.tflite` holds the gradient too, as operators that anyone can run. The reference tells what each did: find
# the subtraction, and the product whose left side is transposed (`adj_x`).

# %%
files = convert_demo()
given = {"bottleneck": x, "labels": y, "ws": ws, "bs": bs}
for step in Interpreter(files.contents["train_head"]).trace(None, **given):
    for name, value in step.outputs.items():
        options = "x transposed" if step.options.get("adj_x") else ""
        print(f"{step.op:13} {name:18} {np.shape(value)!s:9} {options}")

# %% [markdown]
# Now all the ways beside one another: LiteRT, the reference, the four lines of NumPy in `reference/head.py`, and the
# same file with each number a double, which judges the others.

# %%
oracle = Interpreter(files.contents["train_head"], precision="float64").run(None, **given)["grad_ws"]
ways = {
    "LiteRT": open_backend("tflite", files).gradients({"ws": ws, "bs": bs}, x, y)[1]["ws"],
    "reference": Interpreter(files.contents["train_head"]).run(None, **given)["grad_ws"],
    "formula, float32": head.gradients(x, y, ws, bs).ws,
    "formula, float64": exact.ws,
}
print(f"the largest number of the gradient is {np.abs(oracle).max():.3f}; from the oracle differ, at most:")
for way, value in ways.items():
    print(f"  {way:17} {np.abs(value - oracle).max():.1e}")

# %% [markdown]
# float32 has about seven digits, and about seven digits agree. Why not all of them, and which of two such results is
# *right*, is the matter of notebook 6.
#
# ## To take along
#
# - $\partial L / \partial z = (p - y) / B$, $g_W = x^T (p - y) / B$, $g_b$ the column sums of $(p - y) / B$.
# - Let shapes tell which side is transposed.
# - Doubt a gradient with a random direction, central differences and float64.
#
# **To read.** C. M. Bishop, *Pattern Recognition and Machine Learning*, 2006, eq. 4.109. J. Nocedal, S. J. Wright,
# *Numerical Optimization*, 2006, section 8.1, on the best $h$. A. G. Baydin and others, *Automatic differentiation in
# machine learning: a survey*, JMLR 18, 2018, for what to do where no formula is at hand. Next: [SGD, L2 and
# batches](3_sgd.ipynb).
