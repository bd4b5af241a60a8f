r"""Are the gradients right? Numerical derivatives and reports that say where they are not.

Three independent judges of a backward pass:

* the **complex step**, :math:`f'(x) = \operatorname{Im} f(x + i\varepsilon) / \varepsilon`, which
  subtracts nothing and so is exact to rounding for any tiny :math:`\varepsilon`;
* the **central difference**, :math:`f'(x) \approx (f(x + \varepsilon) - f(x - \varepsilon)) / 2\varepsilon`,
  which works on any code, at about half the digits; :func:`step_sweep` shows why no step gives more;
* the **Taylor slope**: along one direction the error of the linear prediction has to fall as
  :math:`\varepsilon^2`. It takes a dozen evaluations, however large the model.

:func:`check_gradients` applies the first two to a layer of the NumPy engine and names the parameter,
the gate and the unit that is wrong. :func:`check_taylor` applies the third to a model of either engine.
"""

from lstm_lib.gradcheck.check import check_gradients
from lstm_lib.gradcheck.derivatives import (
    StepSweep,
    central_difference,
    complex_step,
    forward_difference,
    step_sweep,
)
from lstm_lib.gradcheck.report import GradientError, GradientReport, compare_gradients
from lstm_lib.gradcheck.taylor import TaylorReport, check_taylor, taylor_slope

__all__ = [
    "GradientError",
    "GradientReport",
    "StepSweep",
    "TaylorReport",
    "central_difference",
    "check_gradients",
    "check_taylor",
    "compare_gradients",
    "complex_step",
    "forward_difference",
    "step_sweep",
    "taylor_slope",
]
