"""aulib: a notebook-first companion to one paper on facial Action Unit intensity.

J. C. Batista, O. R. P. Bellon, L. Silva, "Regressão múltipla com redes neurais
convolucionais para estimativa conjunta da intensidade de Action Units",
SIBGRAPI Workshop of Theses and Dissertations, 2018.

Five modules are the paper: `sampler` (Eq. 1, 2), `inference` (Eq. 3), `loss`
(Eq. 4), `model` (Section III) and `icc` (the metric of Section IV). The rest
serves the notebooks.
"""

__version__ = "0.1.0"

AUS = (6, 10, 12, 14, 17)
"""The Action Units whose intensity BP4D codes and the paper estimates (Figure 3)."""

AU_NAMES = tuple(f"AU{au:02d}" for au in AUS)
"""Their column names in every table: AU06, AU10, AU12, AU14, AU17."""

OUTPUT_NAMES = tuple(f"output_{name}" for name in AU_NAMES)
"""The columns of outputs.parquet that hold a network's unrounded outputs."""

LEVEL_NAMES = tuple(f"level_{name}" for name in AU_NAMES)
"""Those that hold its levels, where they are not Eq. 3 of its outputs."""

UNKNOWN = 9
"""The code of an intensity that the coders could not tell (Section IV)."""
