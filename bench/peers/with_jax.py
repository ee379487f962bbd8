"""JAX: one compiled function, whose arguments' memory is used again, is a step."""

import os
from functools import partial

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
from protocol import Head, Step, serve


def loss_of(params, x, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(x @ params[0] + params[1]), labels[:, None], 1).mean()


def adam(rate, params, grads, state, b1=0.9, b2=0.999):
    means, squares, t = state
    t = t + 1
    means = [b1 * m + (1 - b1) * g for m, g in zip(means, grads, strict=True)]
    squares = [b2 * v + (1 - b2) * g * g for v, g in zip(squares, grads, strict=True)]
    moves = [rate * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + 1e-8) for m, v in zip(means, squares, strict=True)]
    return [p - move for p, move in zip(params, moves, strict=True)], (means, squares, t)


def sgd(rate, params, grads, state):
    return [p - rate * g for p, g in zip(params, grads, strict=True)], state


def make(head: Head) -> Step:
    x, labels = jnp.asarray(head.x), jnp.asarray(head.labels)
    rule = partial(adam if head.optimizer == "adam" else sgd, head.rate)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(params, state, x, labels):
        loss, grads = jax.value_and_grad(loss_of)(params, x, labels)
        return loss, *rule(params, grads, state)

    params = [jnp.asarray(head.ws), jnp.asarray(head.bs)]
    zeros = [jnp.zeros_like(p) for p in params]
    state = (zeros, [jnp.zeros_like(p) for p in params], jnp.float32(0)) if head.optimizer == "adam" else ()

    def step() -> float:
        nonlocal params, state
        loss, params, state = update(params, state, x, labels)
        jax.block_until_ready(params)
        return float(loss)

    return step


serve(make)
