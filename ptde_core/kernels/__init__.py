"""Layer 1: Compiled loops on float32 matrices: products, layers, the recurrence of a GRU, mixing, and their gradients.

What comes before and after a product is done while its rows are in the cache, which no BLAS can do.
"""

from ptde_core.kernels.acting_kernels import act, inform
from ptde_core.kernels.arrays import VARIABLE, are_on, array, can_take, traced
from ptde_core.kernels.choices import best_available, choose
from ptde_core.kernels.contraction import contraction, contraction_gradients
from ptde_core.kernels.functions import functions_of
from ptde_core.kernels.gru_kernels import gru, gru_gradients, gru_step
from ptde_core.kernels.layer_kernels import LEAKY_RELU, PLAIN, RELU, layer_of_two, layers, layers_gradients, regression
from ptde_core.kernels.mixed_gaussian import inform_lightly, mixed_gaussian, mixed_gaussian_gradients
from ptde_core.kernels.mixing import mix, mix_gradients
from ptde_core.kernels.normals import normals
from ptde_core.kernels.products import BLOCK, LANES
from ptde_core.kernels.sampling import gaussian, gaussian_gradients
from ptde_core.kernels.target_kernels import add_weighted
from ptde_core.kernels.view_kernels import local_inputs

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
    "layer_of_two",
    "layers",
    "layers_gradients",
    "local_inputs",
    "mix",
    "mix_gradients",
    "mixed_gaussian",
    "mixed_gaussian_gradients",
    "normals",
    "regression",
    "traced",
]
