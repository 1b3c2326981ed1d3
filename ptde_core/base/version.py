"""The version of this package: what `ptde --version` prints, what files carry, what the wheel is called."""

__version__ = "0.1.0"
