"""Marks of tests that need something which is not always there; the reason is shown where they are skipped."""

import pytest

from ptde_core import kernels

needs_kernels = pytest.mark.skipif(not kernels.are_on(), reason="of compiled kernels, which PTDE_KERNELS switches off")
