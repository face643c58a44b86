"""Everything that runs the paper's method: data, training, analysis, tools.

The method itself is in `aulib`. The folders stand in import order: each may import
`aulib` and the folders above it, and none below (`test_architecture.py` checks it):

    base        paths, profiles, grids, provenance, atomic files, figure style
    bp4d        the BP4D tree on disk → frames and quarantine; its check-up
    faces       face detection, the judgement of boxes, the crop of one picture
    crops       the store of crops; squares for the network, on a processor or a GPU
    methods     what a run can train (the rows of Table II) and how it draws frames
    training    the training loop, a run on disk, checkpoints, devices, logs
    analysis    scores, intervals, effects, the spectrum of the features
    standin     the rendered data set that takes the place of BP4D
    workflow    executing notebooks, recording runs, `make doctor`
"""

import sys

if sys.platform == "win32":
    sys.exit(
        "This companion runs on Linux and macOS. On Windows use WSL, which is Linux: "
        "`wsl --install`, then clone and run it there."
    )
