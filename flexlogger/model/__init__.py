"""Inside the model: statistics of weights, gradients and activations, layer by layer."""
