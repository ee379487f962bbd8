"""scikit-learn: a perceptron without a hidden layer, of which ``partial_fit`` with a batch is a step."""

import numpy as np
from protocol import Head, Step, serve
from sklearn.neural_network import MLPClassifier


def make(head: Head) -> Step:
    numbers = {"alpha": 0.0, "momentum": 0.0, "learning_rate_init": head.rate}
    model = MLPClassifier((), solver=head.optimizer, batch_size=len(head.labels), shuffle=False, **numbers)
    model.partial_fit(head.x, head.labels, classes=np.arange(len(head.bs)))  # makes the arrays, which begin anew
    model.coefs_[0][...], model.intercepts_[0][...] = head.ws, head.bs
    if head.optimizer == "adam":
        model._optimizer.t = 0
        for moment in (*model._optimizer.ms, *model._optimizer.vs):
            moment[...] = 0

    def step() -> float:
        model.partial_fit(head.x, head.labels)
        return model.loss_

    return step


serve(make)
