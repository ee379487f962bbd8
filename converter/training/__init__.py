"""What is written behind a network so that it trains: losses, gradients, optimizers, variables, signatures."""
