"""Layer 1: compiled loops in place of torch's operations on float32 matrices, and their switch (`arrays.py`).

Bias, activation and the like are computed while a product's rows are still in the cache, which a BLAS cannot do.
"""

from ptde_core.kernels.acting_kernels import act, inform
from ptde_core.kernels.arrays import VARIABLE, are_on, array, can_take, traced
from ptde_core.kernels.choices import best_available, choose
from ptde_core.kernels.contraction import contraction, contraction_gradients
from ptde_core.kernels.functions import functions_of
from ptde_core.kernels.gru_kernels import gru, gru_gradients, gru_step
from ptde_core.kernels.layer_kernels import LEAKY_RELU, PLAIN, RELU, layers, layers_gradients, regression
from ptde_core.kernels.mixed_gaussian import inform_lightly, mixed_gaussian, mixed_gaussian_gradients
from ptde_core.kernels.mixing import mix, mix_gradients
from ptde_core.kernels.normals import normals
from ptde_core.kernels.products import BLOCK, LANES
from ptde_core.kernels.sampling import gaussian, gaussian_gradients
from ptde_core.kernels.target_kernels import add_weighted

__all__ = [
    "BLOCK",
    "LANES",
    "LEAKY_RELU",
    "PLAIN",
    "RELU",
    "VARIABLE",
    "act",
    "add_weighted",
    "are_on",
    "array",
    "best_available",
    "can_take",
    "choose",
    "contraction",
    "contraction_gradients",
    "functions_of",
    "gaussian",
    "gaussian_gradients",
    "gru",
    "gru_gradients",
    "gru_step",
    "inform",
    "inform_lightly",
    "layers",
    "layers_gradients",
    "mix",
    "mix_gradients",
    "mixed_gaussian",
    "mixed_gaussian_gradients",
    "normals",
    "regression",
    "traced",
]
