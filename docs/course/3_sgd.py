# %% [markdown]
# # 3. SGD, L2 and batches
#
# A gradient says where the loss grows. Going the other way, by steps, is all of training; the rest is how far to go,
# what to look at before each step, and how to keep the weights small. You need notebook 2.

# %%
import matplotlib.pyplot as plt
import numpy as np

from checking import check
from material import convert_demo, photos
from tflite_transfer.backends import open_backend
from tflite_transfer.reference import head, optimizers
from tflite_transfer.training import epoch_batches

plt.style.use("course.mplstyle")
np.set_printoptions(precision=4, suppress=True)

train, test = photos("train"), photos("test")
zeros = {"ws": np.zeros((192, 4), np.float32), "bs": np.zeros(4, np.float32)}

# %% [markdown]
# ## One step
#
# *Stochastic gradient descent*: take a batch, compute the gradient $g$ of its loss, and move each parameter against it
# by a *learning rate* $\alpha$:
#
# $$w' = w - \alpha g$$
#
# ### Exercise 3.1
# Here are a batch and its gradient at the zeros that a head begins with. Write the weights after one step.

# %%
rate = np.float32(0.003)
files = convert_demo("sgd", sgd_learning_rate=float(rate))  # the rate stands in optimizer.tflite
rows = epoch_batches(seed=1, epoch=0, samples=80, batch=20)[0]
g = head.gradients(train.features[rows], train.labels[rows], zeros["ws"], zeros["bs"])

# %%
new_ws = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
litert = open_backend("tflite", files)
stepped, _ = litert.update(zeros, {"ws": g.ws, "bs": g.bs}, {})
check(
    new_ws,
    right=stepped["ws"],  # of optimizer.tflite, run by LiteRT
    solution=zeros["ws"] - rate * g.ws,
    wrong={
        "That way the loss grows: go against the gradient.": zeros["ws"] + rate * g.ws,
        "The learning rate is missing.": zeros["ws"] - g.ws,
        "The mean over the batch is in the gradient already: do not divide by B again.": -rate * g.ws / 20,
    },
)

# %% [markdown]
# ## Many steps
#
# The training loop in full. `epoch_batches` shuffles the photos anew in each epoch, from a seed, and cuts them into
# batches; `head.gradients` and `optimizers.sgd` are the plain-NumPy definitions that the fast kernels are tested
# against.


# %%
def descend(rule, epochs, batch=20, l2=None):
    """Losses of all steps, and the parameters after them."""
    params, losses = zeros, []
    for epoch in range(epochs):
        for rows in epoch_batches(seed=1, epoch=epoch, samples=80, batch=batch):
            g = head.gradients(train.features[rows], train.labels[rows], params["ws"], params["bs"], l2=l2)
            params = optimizers.sgd(params, {"ws": g.ws, "bs": g.bs}, rule)
            losses.append(g.loss)
    return np.array(losses), params


losses, params = descend(optimizers.SGD(rate), epochs=20)
right = head.predict(test.features, **params).argmax(axis=1) == test.classes
print(
    f"loss {losses[0]:.4f} -> {losses[-1]:.4f} in {len(losses)} steps; {right.mean():.1%} of the test photos are right"
)

# %% [markdown]
# The same batches through the `.tflite` files, by both backends. One is LiteRT; the other recognises the graphs and
# runs numba kernels; the loop above is neither:

# %%
for name in ("numpy", "tflite"):
    backend = open_backend(name, files)
    after, slots = backend.initialize()
    told = []
    for epoch in range(20):
        batches = epoch_batches(seed=1, epoch=epoch, samples=80, batch=20)
        steps = backend.train(after, slots, train.features, train.classes, batches)
        after, slots = steps.params, steps.slots
        told.append(steps.losses)
    apart = np.abs(np.concatenate(told) - losses).max()
    print(f"{name:7} losses differ from the loop's by at most {apart:.1e}")

# %% [markdown]
# ## How far?
#
# Too small a rate takes for ever, too large a one jumps over the valley. How large may it be? Near a minimum the loss
# is a parabola. Along a direction of curvature $\lambda$, the gradient at distance $e$ from the bottom is $\lambda e$,
# and a step makes of that distance
#
# $$e' = e - \alpha \lambda e = (1 - \alpha \lambda) \, e$$
#
# which shrinks if $\alpha < 2 / \lambda$, and grows, with a change of sign at each step, if $\alpha$ is larger. So the
# largest curvature sets the limit. For a softmax head it can be bounded from the features alone: the curvature of
# cross-entropy in the logits is at most $\tfrac{1}{2}$ (Böhning), and the features stretch it by the largest eigenvalue
# of their mean square:
#
# $$\lambda \le \tfrac{1}{2} \lambda_{\max} \left( \tfrac{1}{N} X^T X \right), \qquad
#   \text{safe: } \alpha < \frac{4}{\lambda_{\max}(X^T X / N)}$$
#
# ### Exercise 3.2
# Compute this safe rate for the 80 training photos: `X` is `train.features` with a column of ones for the bias.
# (`np.linalg.eigvalsh` gives the eigenvalues of a symmetric matrix.)

# %%
X = np.hstack([train.features, np.ones((80, 1), np.float32)]).astype(np.float64)  # (N, F + 1)

# %%
safe_rate = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
safe = 4 / (np.linalg.norm(X, 2) ** 2 / 80)  # by the largest singular value
check(
    safe_rate,
    right=safe,
    solution=4 / np.linalg.eigvalsh(X.T @ X / 80).max(),
    wrong={
        "The mean square is asked for: divide X^T X by N.": safe / 80,
        "2 / λ with λ at most half the eigenvalue makes 4.": safe / 2,
        "That is a singular value of X; the eigenvalue of X^T X is its square.": 4 / np.linalg.norm(X, 2),
        "The smallest eigenvalue says where it is slow; the largest one where it breaks.": (
            4 / np.linalg.eigvalsh(X.T @ X / 80).min()
        ),
    },
)

# %%
figure, axes = plt.subplots()
for factor in (0.01, 0.1, 1, 30):  # of the safe rate, which the folded cell has computed
    whole, _ = descend(optimizers.SGD(np.float32(factor * safe)), epochs=100, batch=80)  # no noise: all photos at once
    axes.semilogy(whole, label=f"{factor:g} x safe = {factor * safe:.2g}")
axes.set(xlabel="step, each on all 80 photos", ylabel="loss", title="Learning rates")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Up to the safe rate the loss of the whole set never rises: that is a theorem, the *descent lemma*. Well above, it is a
# matter of luck, for once the probabilities are near 0 or 1 the curvature is far below its bound.
#
# ## Keeping the weights small: L2
#
# 772 parameters and 80 photos: there are many ways to be right about all of them. One asks for a small one by adding
# the squares of the weights to the loss, with a factor $\lambda$ (another letter λ than that of the curvature):
#
# $$L_\lambda = L + \lambda \sum_{f,c} W_{fc}^2 \qquad
#   \frac{\partial L_\lambda}{\partial W} = \frac{\partial L}{\partial W} + 2 \lambda W$$
#
# Conventions differ, and that is a common mistake in porting: here λ has no $\tfrac{1}{2}$, is not divided by $B$, and
# leaves the bias alone. Others write $\tfrac{\lambda}{2} \sum W^2$, and mean half as much by the same number.
#
# ### Exercise 3.3
# By which factor does a step of SGD shrink a weight where the data have no opinion, $\partial L / \partial W = 0$?
# Write it as a function of the rate and λ, in this project's convention.

# %%
shrink = ...  # a function of rate and l2


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def measured(rate, l2):
    """Features that are all 0 have no opinion on the weights."""
    one, nothing = np.ones((192, 4), np.float32), np.zeros((20, 192), np.float32)
    g = head.gradients(nothing, train.labels[:20], one, zeros["bs"], l2=l2)
    return optimizers.sgd({"ws": one}, {"ws": g.ws}, optimizers.SGD(np.float32(rate)))["ws"][0, 0]


check(
    shrink,
    right=measured,
    solution=lambda rate, l2: 1 - 2 * rate * l2,
    wrong={
        "That is the convention with ½; here the square's derivative leaves a 2.": lambda rate, l2: 1 - rate * l2,
        "That is what the weight loses; what is left of it?": lambda rate, l2: 2 * rate * l2,
        "The rate is missing: the gradient is multiplied by it.": lambda rate, l2: 1 - 2 * l2,
    },
    on=[(0.1, 0.01), (0.003, 0.3)],
)

# %% [markdown]
# So for SGD, L2 is *weight decay*: each step multiplies the weights by a number just below 1. (For Adam it is not:
# there the term goes through the slots of notebook 4, and weights with a large gradient decay less. Loshchilov and
# Hutter.)

# %%
figure, (left, middle, right) = plt.subplots(1, 3)
for l2 in (0, 0.1, 1):
    told, params = descend(optimizers.SGD(rate), epochs=100, l2=l2)
    z = head.logits(test.features, **params)
    size = float(np.sqrt((params["ws"] ** 2).sum()))
    left.plot(told[::4], label=f"λ = {l2:g}")
    middle.bar(f"{l2:g}", size)
    right.bar(f"{l2:g}", head.cross_entropy(z, test.labels))
    print(f"λ = {l2:<5g} |W| = {size:.3f}   accuracy on the test photos {(z.argmax(1) == test.classes).mean():.3f}")
left.set(xlabel="epoch", title="loss with its L2 term", ylim=(0, 1.5))
left.legend()
middle.set(xlabel="λ", title="$|W|$ at the end")
right.set(xlabel="λ", title="loss on the test photos")
plt.show()

# %% [markdown]
# The weights get smaller, as asked, and the loss on the test photos gets larger: these four classes are easy, and a
# head on a good base has no need of it. L2 is for the day when the training loss is small and the test loss is not.
#
# ## What a batch is for
#
# The loss of a batch is the mean over its examples, so its gradient is the mean of theirs: nothing new is computed, and
# a batch drawn at random has the right gradient *on average*. How far it is off is a question of statistics.
#
# ### Exercise 3.4
# Compute each photo's own gradient for the weights, all 80 at once: `(N, F, C)`. `x` are the features, `d` is $p - y$
# with a row for each photo. (`np.einsum`, or broadcasting.)

# %%
x, d = train.features, head.predict(train.features, **params) - train.labels

# %%
each = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
one_by_one = [head.gradients(x[[i]], train.labels[[i]], **params).ws for i in range(80)]
check(
    each,
    right=np.stack(one_by_one),
    solution=x[:, :, None] * d[:, None, :],
    wrong={
        "A single photo is a batch of 1: nothing to divide by.": x[:, :, None] * d[:, None, :] / 80,
        "That is the sum over the photos; keep them apart.": x.T @ d,
        "The axes are photo, feature, class.": x[:, None, :] * d[:, :, None],
    },
)

# %%
own = x[:, :, None] * d[:, None, :]
whole = own.mean(axis=0)
print(
    "mean of the photos' gradients against the batch's:",
    np.abs(whole - head.gradients(x, train.labels, **params).ws).max(),
)

rng = np.random.default_rng(3)
sizes = np.array([1, 2, 5, 10, 20, 40, 80])
draws = {b: [own[rng.integers(0, 80, b)].mean(axis=0) - whole for _ in range(200)] for b in sizes}
spread = np.sqrt(((own - whole) ** 2).sum(axis=(1, 2)).mean())  # of one photo's gradient
figure, axes = plt.subplots()
axes.loglog(
    sizes, [np.sqrt((np.array(d) ** 2).sum(axis=(1, 2)).mean()) for d in draws.values()], "o", label="200 batches each"
)
axes.loglog(sizes, spread / np.sqrt(sizes), ":", label="spread of one photo's gradient / $\\sqrt{B}$")
axes.set(xlabel="batch size B", ylabel="distance from the mean", title="The noise of a batch")
axes.set_xticks(sizes, sizes)
axes.legend()
plt.show()

# %% [markdown]
# The noise falls with the *root* of the batch size: four times the work for half the noise. That is why small batches
# are used at all: many cheap, noisy steps get further than few exact ones.
#
# ### Exercise 3.5
# The files of the original converter have a batch size baked in as a constant: their weight gradient is the sum over
# the examples *divided by that number*, whatever batch they are given (the bias gradient is a true mean). If a file was
# made for 20 and gets a last batch of 5, by which factor is its weight gradient off?

# %%
factor = ...

# %% jupyter={"source_hidden": true} tags=["hide-input"]
part = train.features[::16], train.labels[::16]  # 5 photos
baked, true = (head.gradients(*part, **params, divisor=divisor).ws for divisor in (20, None))
check(
    factor,
    right=np.linalg.norm(baked) / np.linalg.norm(true),
    solution=5 / 20,
    wrong={
        "The other way round: the sum of 5 is divided by 20, so it comes out too small.": 20 / 5,
        "It is not the same: 5 terms are divided by 20.": 1,
        "It has nothing to do with the noise: this is exact.": np.sqrt(5 / 20),
    },
)

# %% [markdown]
# Such a step is too short by that factor, and no one would see it; only holding the gradient against its definition
# shows it. The files made here divide by the rows that they are given, and the training loop never gives a short batch:
# where $B$ does not divide $N$, the last batch of an epoch overlaps the one before it.

# %%
rows = epoch_batches(seed=1, epoch=0, samples=50, batch=20)
seen = np.bincount(rows.ravel(), minlength=50)
print(f"50 photos in batches of 20: {len(rows)} steps; {(seen == 1).sum()} photos seen once, {(seen == 2).sum()} twice")

# %% [markdown]
# ## To take along
#
# - $w' = w - \alpha g$; safe up to $2 / \lambda$ of the largest curvature, which the features tell beforehand.
# - L2 adds $2 \lambda W$ to the gradient. Look up the convention before you copy a λ.
# - A batch's gradient is the mean of its examples'; its noise is $1 / \sqrt{B}$.
#
# **To read.** L. Bottou, F. E. Curtis, J. Nocedal, *Optimization methods for large-scale machine learning*, SIAM Review
# 60, 2018. D. Böhning, *Multinomial logistic regression algorithm*, Annals of the Institute of Statistical Mathematics
# 44, 1992, for the bound ½. I. Loshchilov, F. Hutter, *Decoupled weight decay regularization*, ICLR 2019. Next: [Adam,
# slot by slot](4_adam.ipynb).
