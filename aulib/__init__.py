"""aulib: the method of one paper on the intensity of facial Action Units.

J. C. Batista, O. R. P. Bellon, L. Silva, "Regressão múltipla com redes neurais
convolucionais para estimativa conjunta da intensidade de Action Units",
SIBGRAPI Workshop of Theses and Dissertations, 2018.

Five modules are the paper: `sampler` (Eq. 1 and 2), `model` (Section III), `loss`
(Eq. 4), `inference` (Eq. 3) and `icc` (the metric of Section IV). Files, runs, data and
figures are handled by `companion`.
"""

__version__ = "0.1.0"

AUS = (6, 10, 12, 14, 17)
"""The Action Units whose intensity BP4D codes and the paper estimates (Figure 3)."""

UNKNOWN = 9
"""The code of an intensity that the coders could not determine (Section IV)."""
