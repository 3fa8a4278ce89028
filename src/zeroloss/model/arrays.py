"""The type of an array of numbers, once: float64 as everywhere in the mathematics."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
