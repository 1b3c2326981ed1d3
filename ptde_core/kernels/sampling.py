"""The reparameterized Gaussian z = mean + sigma * noise, sigma from the log variance, and its gradients."""

import numpy as np

from ptde_core.kernels.compile import Array, entry
from ptde_core.kernels.functions import exp


@entry
def gaussian(mean: Array, log_variance: Array, floor: float, noise: Array, sigma: Array, z: Array) -> None:
    """Write sigma and z. The variance is at least `floor`. All arrays are (M,)."""
    lowest = np.float32(floor)
    for k in range(len(z)):
        variance = exp(log_variance[k])
        sigma[k] = np.sqrt(variance if variance > lowest else lowest)
    for k in range(len(z)):
        z[k] = mean[k] + sigma[k] * noise[k]


@entry
def gaussian_gradients(sigma: Array, floor: float, noise: Array, grad_z: Array, grad_log_variance: Array) -> None:
    """Write the gradient of the log variance; that of the mean is `grad_z` itself."""
    lowest, half = np.sqrt(np.float32(floor)), np.float32(0.5)
    for k in range(len(sigma)):
        slope = half * sigma[k] * noise[k] * grad_z[k]
        grad_log_variance[k] = slope if sigma[k] > lowest else np.float32(0.0)
