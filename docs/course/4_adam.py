# %% [markdown]
# # 4. Adam, slot by slot
#
# SGD has one learning rate for all. Adam gives each parameter its own, from what it remembers of that parameter's
# gradients. What it remembers are its *slots*, and this notebook looks at each: what it holds, what ε does, and what
# becomes of a training whose slots are lost, which really happened. You need notebook 3.

# %%
import matplotlib.pyplot as plt
import numpy as np

from checking import check
from material import convert_demo, photos
from tflite_transfer.backends import open_backend
from tflite_transfer.reference import head, optimizers
from tflite_transfer.reference.recognize import recognize_optimizer
from tflite_transfer.training import epoch_batches

plt.style.use("course.mplstyle")
np.set_printoptions(precision=4, suppress=True)

L2 = 0.05
train, test = photos("train"), photos("test")
files = convert_demo("adam", adam_learning_rate=0.01, head_l2_reg=L2)
zeros = {"ws": np.zeros((192, 4), np.float32), "bs": np.zeros(4, np.float32)}

# %% [markdown]
# ## Gradients of all sizes
#
# Here are the 768 numbers of one batch's gradient for the weights. A rate that suits the largest is far too small for
# most.

# %%
rows = epoch_batches(seed=1, epoch=0, samples=80, batch=20)[0]
g = head.gradients(train.features[rows], train.labels[rows], **zeros)
sizes = np.abs(g.ws).ravel()
figure, axes = plt.subplots()
axes.hist(sizes, np.logspace(-4, 1, 60))
axes.set(xscale="log", xlabel="|gradient|", ylabel="weights", title="One batch's gradient")
print(f"the middle one {np.median(sizes):.3f}, the largest {sizes.max():.3f}, the smallest {sizes.min():.5f}")
plt.show()

# %% [markdown]
# ## The two running means
#
# Adam keeps, for each parameter, a running mean of the gradient, $m$, and of its square, $v$, and counts steps, $t$.
# All begin at 0. A running mean is a mix of what was and what is new:
#
# $$t' = t + 1 \qquad m' = \beta_1 m + (1 - \beta_1) \, g \qquad v' = \beta_2 v + (1 - \beta_2) \, g^2$$
#
# with $\beta_1 = 0.9$ (the last ten steps or so) and $\beta_2 = 0.999$ (the last thousand). The step then is
#
# $$\hat m = \frac{m'}{1 - \beta_1^{t'}} \qquad \hat v = \frac{v'}{1 - \beta_2^{t'}} \qquad
#   w' = w - \alpha \, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$
#
# These numbers stand in `optimizer.tflite`, and the reference finds them there, by the graph's operators and constants:

# %%
rule = recognize_optimizer(files.models["optimizer"].main, parameters=2)
assert isinstance(rule, optimizers.Adam)
print(rule)
print("slots:", dict(files.slots))

# %% [markdown]
# One number, three steps by hand, beside the product's `optimizers.adam`:

# %%
w, m, v = np.float32(1), np.float32(0), np.float32(0)
params = {"w": w}
state = optimizers.AdamState({"w": m}, {"w": v}, np.float32(0))
print("gradient        m        v    m hat    v hat        w   product's w")
for t, gradient in enumerate(np.array([1, 3, -2], np.float32), start=1):
    m = 0.9 * m + 0.1 * gradient
    v = 0.999 * v + 0.001 * gradient**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    w = w - 0.01 * m_hat / (np.sqrt(v_hat) + 1e-8)
    params, state = optimizers.adam(params, {"w": gradient}, state, rule)
    print(f"{gradient:8} {m:8.4f} {v:8.4f} {m_hat:8.4f} {v_hat:8.4f} {w:8.5f} {params['w']:13.5f}")

# %% [markdown]
# ### Exercise 4.1
# On paper: the gradients are 2, then 4, and $\beta_1 = 0.9$. What is $m$ after these two steps?

# %%
m_after_two = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
state = optimizers.AdamState({"w": np.float32(0)}, {"w": np.float32(0)}, np.float32(0))
for gradient in (2, 4):
    _, state = optimizers.adam({"w": np.float32(0)}, {"w": np.float32(gradient)}, state, rule)
check(
    m_after_two,
    right=state.mean["w"],
    solution=0.9 * (0.1 * 2) + 0.1 * 4,
    wrong={
        "β belongs to what was, 1 - β to what is new.": 0.1 * (0.9 * 2) + 0.9 * 4,
        "That is the plain mean; m begins at 0 and is still on its way up.": 3,
        "That is after the bias correction, m hat.": (0.9 * 0.2 + 0.4) / (1 - 0.9**2),
        "You forgot to let the first step fade: it is multiplied by β once more.": 0.1 * 2 + 0.1 * 4,
    },
)

# %% [markdown]
# ## Why the correction
#
# Beginning at 0, the means are too small at first. If the gradient is always $g$, then $m_t = (1 - \beta_1^t) \, g$ and
# $v_t = (1 - \beta_2^t) \, g^2$: dividing by these factors makes them exact. Without it the step would not be too
# small, as one might guess, but too large, since $v$ lags behind more than $m$ does:

# %%
t = np.arange(1, 2001)
figure, axes = plt.subplots()
axes.semilogx(t, (1 - 0.9**t) / np.sqrt(1 - 0.999**t), label="without correction: $m / \\sqrt{v}$")
axes.semilogx(t, np.ones(len(t)), label="with: $\\hat m / \\sqrt{\\hat v}$")
axes.set(xlabel="step", ylabel="step / learning rate", title="A gradient that is always the same", ylim=(0, 8))
axes.legend()
plt.show()

# %% [markdown]
# ### Exercise 4.2
# The very first step, without corrections and without ε: how long is it, in units of the learning rate?

# %%
first_step = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
_, state = optimizers.adam(
    {"w": np.float32(0)}, {"w": np.float32(7)}, optimizers.AdamState({"w": m * 0}, {"w": m * 0}, 0 * m), rule
)
check(
    first_step,
    right=state.mean["w"] / np.sqrt(state.square["w"]),
    solution=(1 - 0.9) / np.sqrt(1 - 0.999),
    wrong={
        "That is with the corrections: the first step has the length of the rate, whatever the gradient.": 1,
        "v is a mean of squares: take its root.": (1 - 0.9) / (1 - 0.999),
        "Both means begin at 0 and take in (1 - β) of the gradient.": 0.9 / np.sqrt(0.999),
    },
)

# %% [markdown]
# ## What ε does
#
# In the first step $\hat m / \sqrt{\hat v} = g / |g|$: its length is the learning rate, *whatever* the gradient is.
# That is Adam's strength and its danger: a gradient of $10^{-12}$, which is nothing but rounding, would move its weight
# as far as any other. ε puts an end to that. In the first step
#
# $$\frac{\text{step}}{\alpha} = \frac{|g|}{|g| + \varepsilon}$$
#
# which is nearly 1 for gradients above ε and nearly 0 below. But where ε stands is not the same everywhere:

# %%
size = np.logspace(-12, -2, 200)
places = {
    "the paper's algorithm 1, and these files: $\\hat m / (\\sqrt{\\hat v} + ε)$": size / (size + 1e-7),
    "Keras: $ε$ beside the uncorrected $\\sqrt{v}$": size / (size + 1e-7 / np.sqrt(1 - 0.999)),
    "a mistake: inside the root, $\\hat m / \\sqrt{\\hat v + ε}$": size / np.sqrt(size**2 + 1e-7),
}
figure, axes = plt.subplots()
for label, length in places.items():
    axes.loglog(size, length, label=label)
axes.set(xlabel="|g|", ylabel="first step / learning rate", ylim=(1e-6, 2), title="Three places for ε = 1e-7")
axes.legend(fontsize=8)
plt.show()

# %% [markdown]
# ### Exercise 4.3
# In Keras' form the step is
# $\alpha \, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \cdot \frac{m}{\sqrt{v} + \varepsilon}$. For which gradient is
# the first step just half of the learning rate, with $\varepsilon = 10^{-7}$ and $\beta_2 = 0.999$?

# %%
half_step = ...


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def keras_first(g):
    """Step / learning rate."""
    return np.sqrt(0.001) / 0.1 * (0.1 * g) / (np.sqrt(0.001 * g**2) + 1e-7)


candidates = np.logspace(-9, -3, 1_200_001)
check(
    half_step,
    right=candidates[np.abs(keras_first(candidates) - 0.5).argmin()],
    solution=1e-7 / np.sqrt(1 - 0.999),
    wrong={
        "That is the paper's form; in Keras' ε stands beside the uncorrected root, 0.03 |g|.": 1e-7,
        "Take the root of 1 - β2: v is a mean of squares.": 1e-7 / (1 - 0.999),
        "The other way round: there ε counts for more.": 1e-7 * np.sqrt(1 - 0.999),
    },
    tolerance=1e-4,
)

# %% [markdown]
# At the first step the same ε is 32 times as strong there; later less, as 1 - β2^t grows. Whoever carries a model from
# one framework to another and keeps ε has changed the optimizer.
#
# ## When the state is lost
#
# The first public app that trained such files, on Android, gave `optimizer.tflite` the parameters and the gradients,
# and *not the slots*: its inputs for $m$, $v$ and $t$ were never written, and what came out for them was thrown away.
# No error was raised, and the loss fell. Here is that defect, with LiteRT: the slots are zeros at each step.

# %%
litert = open_backend("tflite", files)
params, fresh = litert.initialize()
print("step   slot t    shortest    longest move of a weight")
for k, rows in enumerate(epoch_batches(seed=1, epoch=0, samples=80, batch=20)):
    _, grads = litert.gradients(params, train.features[rows], train.labels[rows])
    moved, slots = litert.update(params, grads, fresh)  # and not the slots of the step before
    move = np.abs(moved["ws"] - params["ws"])
    print(f"{k:4} {slots['step']:8} {move.min():11.7f} {move.max():11.7f}")
    params = moved

# %% [markdown]
# The step counter never gets past 1, and all 768 weights move by the learning rate: the largest gradient and the
# smallest.
#
# ### Exercise 4.4
# Write what is left of Adam: the move $w - w'$ of one step whose slots were zeros, as a function of the gradient `g`
# (an array), the rate and ε.

# %%
lost = ...  # a function of g, rate and eps


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def by_file(g, rate, eps):
    """optimizer.tflite, run by LiteRT on slots of zeros."""
    one = open_backend("tflite", convert_demo("adam", adam_learning_rate=rate, adam_epsilon=eps))
    gradient = np.zeros((192, 4), np.float32)
    gradient.flat[: len(g)] = g
    new, _ = one.update(zeros, {"ws": gradient, "bs": zeros["bs"]}, fresh)
    return -new["ws"].ravel()[: len(g)]


check(
    lost,
    right=by_file,
    solution=lambda g, rate, eps: rate * g / (np.abs(g) + eps),
    wrong={
        "That is SGD: the length of the gradient has been divided out.": lambda g, rate, eps: rate * g,
        "Nearly: but ε is large beside one of the gradients.": lambda g, rate, eps: rate * np.sign(g),
        "The root belongs to v = g²; of g² it leaves |g|.": lambda g, rate, eps: rate * g / (np.sqrt(np.abs(g)) + eps),
        "The sign of the gradient is lost.": lambda g, rate, eps: rate * np.abs(g) / (np.abs(g) + eps),
    },
    on=[(np.array([3, -0.5, 1e-3, -1e-6], np.float32), 0.01, 1e-6)],
)

# %% [markdown]
# This is known as *sign descent*. It goes downhill, so nobody noticed; but it cannot arrive, for each step has full
# length. Three trainings with the same batches: slots kept, lost at every step, and lost once, as by a program that
# saves the parameters only and is started again.


# %%
def train_with(loses, steps=400):
    """Losses over all photos after each step; ``loses(k)`` says whether the slots are lost before step k."""
    params, slots = zeros, fresh
    told = []
    for k in range(steps):
        rows = epoch_batches(seed=1, epoch=k // 4, samples=80, batch=20)[k % 4]
        _, grads = litert.gradients(params, train.features[rows], train.labels[rows])
        params, slots = litert.update(params, grads, fresh if loses(k) else slots)
        told.append(head.gradients(train.features, train.labels, params["ws"], params["bs"], l2=L2).loss)
    z = head.logits(test.features, params["ws"], params["bs"])
    return told, head.cross_entropy(z, test.labels), (z.argmax(axis=1) == test.classes).mean()


figure, axes = plt.subplots(figsize=(7, 3.4))
for label, loses in {
    "lost at every step": lambda k: True,
    "lost once, at step 200": lambda k: k == 200,
    "kept": lambda k: False,
}.items():
    told, loss, accuracy = train_with(loses)
    axes.semilogy(told, label=label, linewidth=1.3)
    print(f"{label:23} training loss {told[-1]:.4f}   test loss {loss:.4f}   test accuracy {accuracy:.3f}")
axes.set(xlabel="step", ylabel="loss, L2 included", title="The same batches, three fates of the slots", ylim=(0.03, 3))
axes.legend()
plt.show()

# %% [markdown]
# So slots are part of the training, as the weights are. The product's `save` keeps them, together with the place in the
# shuffle, so that a training that was interrupted ends with the same bits as one that was not:

# %%
numpy = open_backend("numpy", files)
plan = np.concatenate([epoch_batches(seed=1, epoch=e, samples=80, batch=20) for e in range(10)])


def go_on(params, slots, batches):
    """The new parameters and slots; copies go in, for ``train`` may reuse the slots' memory."""
    kept = {name: value.copy() for name, value in slots.items()}
    return numpy.train(params, kept, train.features, train.classes, batches)[1:]


whole, _ = go_on(*numpy.initialize(), plan)
half = go_on(*numpy.initialize(), plan[:20])
print("resumed with its slots, the same bits:", np.array_equal(go_on(*half, plan[20:])[0]["ws"], whole["ws"]))
print("resumed with zeros, the same bits:    ", np.array_equal(go_on(half[0], fresh, plan[20:])[0]["ws"], whole["ws"]))

# %% [markdown]
# ## To take along
#
# - $m$: where to; $v$: how large it usually is; $t$: how much of both to believe yet.
# - A step is about as long as the learning rate, whatever the gradient; ε decides from which size on a gradient counts.
# - Whoever saves weights without slots has not saved the training.
#
# **To read.** D. P. Kingma, J. Ba, *Adam: a method for stochastic optimization*, ICLR 2015,
# [arXiv:1412.6980](https://arxiv.org/abs/1412.6980); the two places of ε are its algorithm 1 and the end of section 2.
# J. Bernstein and others, *signSGD: compressed optimisation for non-convex problems*, ICML 2018. The plain definition:
# `reference/optimizers.py`. Next: [what is in a .tflite](5_tflite.ipynb).
