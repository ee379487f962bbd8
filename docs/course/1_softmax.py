# %% [markdown]
# # 1. Softmax and cross-entropy, and why log-softmax
#
# A classifier ends in numbers that can be anything, and is asked for probabilities. This notebook shows how softmax
# makes them, how cross-entropy judges them, and where the obvious NumPy code for both breaks down. You need NumPy and
# logarithms, no more.
#
# Everything here is the real thing: the photos, the network and the `.tflite` files are those of `make demo`.
#
# Letters, in the whole course: $B$ examples in a batch, $F$ features, $C$ classes.

# %%
import matplotlib.pyplot as plt
import numpy as np

from checking import check
from material import CLASSES, convert_demo, photos
from tflite_transfer.backends import open_backend
from tflite_transfer.reference import head
from tflite_transfer.training import epoch_batches

plt.style.use("course.mplstyle")
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## From a photo to four scores
#
# The base network turns a photo into $F = 192$ numbers, its *features* $x$. They are given here; notebook 5 opens that
# network. What we train is the *head*: one linear layer, whose results $z$ are called *logits*.
#
# $$z = x W + b \qquad (B, F)(F, C) + (C) \to (B, C)$$
#
# We train it for 20 epochs on 80 photos (notebooks 3 and 4 say how), so that there is something to look at.

# %%
train, test = photos("train"), photos("test")
files = convert_demo("adam")
backend = open_backend("numpy", files)
params, slots = backend.initialize()
for epoch in range(20):
    batches = epoch_batches(seed=1, epoch=epoch, samples=len(train.features), batch=files.batch)
    _, params, slots = backend.train(params, slots, train.features, train.classes, batches)
ws, bs = params["ws"], params["bs"]

z = head.logits(test.features, ws, bs)
print("photos", test.images.shape, "-> features", test.features.shape, "-> logits", z.shape)
print("the first one's logits:", ", ".join(f"{name} {value:.2f}" for name, value in zip(CLASSES, z[0], strict=True)))

# %% [markdown]
# ## Softmax
#
# Probabilities must be positive and sum to 1, and a larger logit must stay larger. Make each positive with $\exp$, then
# divide by the sum:
#
# $$p_c = \frac{e^{z_c}}{\sum_k e^{z_k}}$$
#
# Two probabilities then stand in the ratio $p_i / p_j = e^{z_i - z_j}$: only *differences* of logits count.

# %%
shown = 102  # a T-shirt
figure, (left, middle, right) = plt.subplots(1, 3, width_ratios=(1, 1.5, 1.5))
left.imshow(test.images[shown])
left.set_axis_off()
middle.barh(CLASSES, z[shown], color="tab:gray")
middle.set_title("logits $z$")
right.barh(CLASSES, head.softmax(z[shown]))
right.set(title="probabilities $p$", xlim=(0, 1), yticks=[])
plt.show()

# %% [markdown]
# ### Exercise 1.1
# Write softmax for a batch: logits `(B, C)` in, probabilities `(B, C)` out. (`keepdims=True` helps.)

# %%
my_softmax = ...  # a function: lambda z: ..., or def my_softmax(z): ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
check(
    my_softmax,
    right=head.softmax,
    solution=lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    wrong={
        "Each row must sum to 1, not the whole batch: sum along axis 1.": lambda z: np.exp(z) / np.exp(z).sum(),
        "You sum over the examples; the classes are axis 1.": lambda z: np.exp(z) / np.exp(z).sum(axis=0),
        "You divide the logits themselves: take their exponentials first.": lambda z: z / z.sum(axis=1, keepdims=True),
    },
    on=[(z,), (z[:2] / 3,)],
)

# %% [markdown]
# ## A constant shift changes nothing, but saves everything
#
# Add a number $s$ to all logits of a row and $e^s$ cancels:
#
# $$\frac{e^{z_c + s}}{\sum_k e^{z_k + s}} = \frac{e^s e^{z_c}}{e^s \sum_k e^{z_k}} = p_c$$
#
# On paper, that is. float32 ends at about $3.4 \cdot 10^{38}$, and past that is only infinity:

# %%
row = np.array([1, 2, 3, 4], np.float32)
with np.errstate(over="ignore", invalid="ignore"):
    for s in (0, 50, 100):
        shifted = row + np.float32(s)
        plain = np.exp(shifted) / np.exp(shifted).sum()
        print(f"s = {s:3}  formula: {plain}  product: {head.softmax(shifted)}")

# %% [markdown]
# inf / inf is NaN, and a NaN in one step is a NaN in every weight after it. The cure costs one subtraction: choose
# $s = -\max_k z_k$. The largest exponent is then $e^0 = 1$; nothing overflows, and the sum is at least 1, so nothing is
# divided by 0. The product's softmax is that and no more:

# %%
import inspect

print(inspect.getsource(head.softmax))

# %% [markdown]
# ### Exercise 1.2
# From which logit on does the plain formula fail: what is the largest $z$ whose `np.exp` is still finite in float32?
# (`np.finfo(np.float32).max` is the largest number of float32.)

# %%
largest_logit = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
probes = np.arange(88, 89, 1e-4)
with np.errstate(over="ignore"):
    last = probes[np.isfinite(np.exp(probes.astype(np.float32)))][-1]
check(
    largest_logit,
    right=last,
    solution=np.log(np.finfo(np.float32).max),
    wrong={
        "That is for float64; the files compute in float32.": np.log(np.finfo(np.float64).max),
        "float32 ends at about 2 to the 128, but exp has the base e.": 128,
        "That is the largest number itself; which z has it as its exponential?": np.finfo(np.float32).max,
    },
)

# %% [markdown]
# ## Cross-entropy
#
# How good are probabilities? Look only at the one that was given to the true class. The *likelihood* of all labels is
# the product of these numbers; its logarithm turns the product into a sum, a minus sign turns "as large as possible"
# into "as small as possible", and the mean makes batches comparable. With one-hot labels $y$:
#
# $$L = -\frac{1}{B} \sum_{i=1}^{B} \sum_{c=1}^{C} y_{ic} \log p_{ic}$$
#
# $-\log p$ is 0 for a certain and right answer, and grows without end for a certain and wrong one.

# %%
losses = -np.log(head.softmax(z)[np.arange(len(z)), test.classes])  # of the true class
print("mean:", losses.mean(), " by the product:", head.cross_entropy(z, test.labels))

worst = losses.argmax()
p = np.linspace(1e-3, 1, 300)
figure, (left, right) = plt.subplots(1, 2, width_ratios=(2, 1))
left.plot(p, -np.log(p))
left.plot(np.exp(-losses), losses, "o", label="200 test photos")
left.set(xlabel="probability of the true class", ylabel="$-\\log p$", title="What a photo adds to the loss")
left.legend()
right.imshow(test.images[worst])
right.set(
    title=f"the worst: p = {np.exp(-losses[worst]):.2g}", xlabel=CLASSES[test.classes[worst]], xticks=[], yticks=[]
)
right.grid(visible=False)
plt.show()

# %% [markdown]
# ### Exercise 1.3
# A fresh head has zeros for weights and bias. What is its loss on any batch of four classes? Work it out on paper, then
# write it as NumPy.

# %%
first_loss = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
check(
    first_loss,
    right=head.cross_entropy(head.logits(test.features, 0 * ws, 0 * bs), test.labels),
    solution=np.log(4),
    wrong={
        "The logarithm is the natural one, not that of base 2.": np.log2(4),
        "That is each class's probability; the loss is its negative logarithm.": 1 / 4,
        "Mind the sign: a probability's logarithm is negative, the loss is not.": -np.log(4),
        "The mean over the batch is right, but of the C terms of a row only the true class's counts.": 4 * np.log(4),
    },
)

# %% [markdown]
# Remember that number: a training whose first loss is not $\ln C$ has a mistake before the first step. (The public
# app's later version reports 12.09 where this should be 1.39: there the two arguments of the loss were swapped.)
#
# ## Why log-softmax
#
# The loss needs $\log p$, and softmax gives $p$. `np.log(softmax(z))` is right on paper and fails where it matters, at
# the examples that are most wrong. Let the true class lie $g$ below the best one. Then $p \approx e^{-g}$ and the loss
# is $g$. But float32's smallest number is about $1.4 \cdot 10^{-45}$, so $e^{-g}$ becomes 0 from $g \approx 104$ on:

# %%
gaps = np.arange(80, 121, dtype=np.float32)
rows = np.stack([0 * gaps, -gaps], axis=1)  # two classes; the true one is the second
with np.errstate(divide="ignore"):
    log_of_softmax = -np.log(head.softmax(rows))[:, 1]
log_softmax = -head.log_softmax(rows)[:, 1]

figure, (left, right) = plt.subplots(1, 2)
left.plot(gaps, log_softmax, label="log-softmax")
left.plot(gaps, log_of_softmax, ".", label="log of softmax")
infinite = gaps[np.isinf(log_of_softmax)]
left.plot(infinite, np.full(len(infinite), 122), "x", color="tab:red", label="log of softmax: infinite")
left.set(xlabel="how far the true class lies below, $g$", ylabel="loss", title="One example's loss in float32")
left.legend(fontsize=8)
right.plot(gaps, log_softmax - gaps)
right.plot(gaps, log_of_softmax - gaps, ".")
right.set(xlabel="$g$", ylabel="error of the loss", title="The same, less what is right")
for gap in (95, 100, 103, 104):
    print(f"g = {gap}:  log of softmax {log_of_softmax[gap - 80]:9.4f}   log-softmax {log_softmax[gap - 80]:9.4f}")
plt.show()

# %% [markdown]
# Already before 104 the dots leave the line. Between $10^{-38}$ and $10^{-45}$ float32 has ever fewer digits
# (*subnormal* numbers), and the logarithm shows it. The cure is to do the logarithm on paper. With $m = \max_k z_k$:
#
# $$\log p_c = z_c - m - \log \sum_k e^{z_k - m}$$
#
# No probability is ever formed; the sum lies between 1 and $C$, where float32 is at its best.
#
# ### Exercise 1.4
# Write log-softmax for a batch `(B, C)`. It will be tried on small logits, on logits of 1000, and on a gap of 200.

# %%
my_log_softmax = ...  # a function of z


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def solution(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


check(
    my_log_softmax,
    right=head.log_softmax,
    solution=solution,
    wrong={
        "That is the logarithm of a probability, which is 0 for a gap of 200: take the logarithm on paper.": lambda z: (
            np.log(head.softmax(z))
        ),
        "Without the maximum, exp overflows for logits of 1000.": lambda z: (
            z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        ),
        "You took the maximum of the whole batch; each row has its own.": lambda z: (
            z - z.max() - np.log(np.exp(z - z.max()).sum(axis=1, keepdims=True))
        ),
        "That is the probability: its logarithm is asked for.": head.softmax,
    },
    on=[(z,), (np.array([[1000, 1001], [0, 1]], np.float32),), (np.array([[0, -200]], np.float32),)],
)

# %% [markdown]
# ## What the file does
#
# `train_head.tflite` is the file that a phone runs for a training step: features, labels and parameters in, loss and
# gradients out. It is a list of operators, which the reference tells one by one. LOG_SOFTMAX makes the loss; SOFTMAX is
# there too, for the gradient (notebook 2).

# %%
from tflite_transfer.reference import Interpreter

names = ("bottleneck", "labels", "ws", "bs")
batch = dict(zip(names, (train.features[::4], train.labels[::4], ws, bs), strict=True))
for step in Interpreter(files.contents["train_head"]).trace(None, **batch):
    print(f"{step.op:13}", *(f"{name}{np.shape(value)}" for name, value in step.outputs.items()))

# %% [markdown]
# LiteRT, the runtime of phones, and the reference run the same file; the plain NumPy function says the same:

# %%
for name in ("numpy", "tflite"):
    loss, _ = open_backend(name, files).gradients(params, batch["bottleneck"], batch["labels"])
    print(f"{name:7} {loss:.8f}")
print(f"formula {head.cross_entropy(head.logits(batch['bottleneck'], ws, bs), batch['labels']):.8f}")

# %% [markdown]
# ## To take along
#
# - Softmax sees only differences of logits; subtract the maximum, always.
# - Cross-entropy is the mean of $-\log p$ of the true class; it begins at $\ln C$.
# - Never take the logarithm of a softmax: $z_c - m - \log \sum_k e^{z_k - m}$ stays finite.
#
# **To read.** C. M. Bishop, *Pattern Recognition and Machine Learning*, 2006, section 4.3.4. I. Goodfellow, Y. Bengio,
# A. Courville, *Deep Learning*, 2016, sections 4.1 and 6.2.2. P. Blanchard, D. J. Higham, N. J. Higham, *Accurately
# computing the log-sum-exp and softmax functions*, IMA Journal of Numerical Analysis 41, 2021, which proves both
# formulas stable. Next: [the gradient p − y](2_gradient.ipynb).
