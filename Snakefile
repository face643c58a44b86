# The papermill runs as a graph:
#   00 the stand-in by itself
#   data → 01 cleaning → 02 PCA
#                      → 03 training (model × seed) → 04 Table II
#                                                   → 05 figures
#
#   snakemake --cores all                        the stand-in, all of it
#   snakemake --cores all --config profile=bp4d  the real data
#   snakemake -n                                 what would run, and why
#   snakemake --config processes=4 …             four GPUs share each training
#   snakemake --cores all pretrain               the stand-in's pre-trained weights
import shlex
import sys

from snakemake.exceptions import WorkflowError

from aulib.bp4d import find_layout
from aulib.notebook import ROOT, load_profile
from aulib.standin.tree import MODULES

NAME = config.get("profile", "standin")
try:
    PROFILE = load_profile(NAME)
    if not PROFILE["standin"]:
        find_layout(ROOT / PROFILE["data_root"])
except (OSError, ValueError) as error:  # said in a line, not in a traceback
    raise WorkflowError(str(error)) from None
PROCESSES = int(config.get("processes", 1))  # of each training
RUN = f"runs/{NAME}"
TREE = PROFILE["data_root"]
# A made tree is complete when its parameters are written; a real one is just there.
DATA = f"{TREE}/standin.json" if PROFILE["standin"] else TREE
PYTHON = shlex.quote(sys.executable)
NOTEBOOK = f"{PYTHON} -m aulib.notebook"
RENDERER = [f"aulib/standin/{module}.py" for module in MODULES]
PRETRAINED = f"{RUN}/pretrained/standin_vgg16.pt"


def settings(*keys):
    """The part of the profile that a rule depends on; a change reruns the rule."""
    return {key: PROFILE[key] for key in keys}


def weights(wildcards):
    """The file that a training starts from, where it is one."""
    path = PROFILE["models"][wildcards.model]["weights"]
    return [] if path in (None, "imagenet") else path


wildcard_constraints:
    model="|".join(PROFILE["models"]),
    seed=r"\d+",


localrules:
    all,


STAND_IN = [f"{RUN}/notebooks/00_stand_in.ipynb"] if PROFILE["standin"] else []


rule all:
    input:
        STAND_IN,
        f"{RUN}/notebooks/01_data_cleaning.ipynb",
        f"{RUN}/notebooks/02_pca_dropout.ipynb",
        expand(
            f"{RUN}/notebooks/03_training_{{model}}_{{seed}}.ipynb",
            model=PROFILE["models"],
            seed=PROFILE["seeds"],
        ),
        f"{RUN}/notebooks/04_table_2.ipynb",
        f"{RUN}/notebooks/05_figures.ipynb",


if PROFILE["standin"]:

    rule data:
        input:
            RENDERER,
        output:
            DATA,
        params:
            settings("standin"),
        threads: workflow.cores
        shell:
            "{PYTHON} -m aulib.standin {NAME}"

    rule stand_in:
        input:
            RENDERER,
            "data/bp4d_statistics.json",
            notebook="notebooks/00_stand_in.ipynb",
        output:
            notebook=f"{RUN}/notebooks/00_stand_in.ipynb",
        params:
            settings("standin"),
        shell:
            "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME}"

    rule pretrain:
        input:
            RENDERER,
            "aulib/standin/pretrain.py",
        output:
            PRETRAINED,
        threads: workflow.cores
        shell:
            "{PYTHON} -m aulib.standin.pretrain {NAME} {output}"


rule cleaning:
    input:
        DATA,
        "aulib/bp4d.py",
        "aulib/faces.py",
        notebook="notebooks/01_data_cleaning.ipynb",
    output:
        update(f"{RUN}/crops/store.json"),  # made again where the notebook says so
        f"{RUN}/clean/frames.parquet",
        notebook=f"{RUN}/notebooks/01_data_cleaning.ipynb",
    params:
        settings("data_root", "boxes", "crop_size"),
    threads: workflow.cores
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME}"


rule pca:
    input:
        f"{RUN}/crops/store.json",
        "aulib/spectrum.py",
        notebook="notebooks/02_pca_dropout.ipynb",
    output:
        notebook=f"{RUN}/notebooks/02_pca_dropout.ipynb",
    params:
        settings("network_width", "models"),
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME}"


rule training:
    input:
        f"{RUN}/crops/store.json",
        weights,
        "aulib/training.py",
        "aulib/batches.py",
        "aulib/sampler.py",
        "aulib/model.py",
        "aulib/loss.py",
        notebook="notebooks/03_training.ipynb",
    output:
        # not removed before a rule runs again: the notebook finds out by itself
        # whether the run that is there is finished and of the same parameters
        update(f"{RUN}/training/{{model}}_{{seed}}/outputs.parquet"),
        notebook=f"{RUN}/notebooks/03_training_{{model}}_{{seed}}.ipynb",
    params:
        lambda wildcards: {
            **settings("epochs", "batch_size", "accumulation", "learning_rate_step"),
            **settings("momentum", "weight_decay", "network_width"),
            **PROFILE["models"][wildcards.model],
        },
    threads: PROFILE["threads"] * PROCESSES
    resources:
        gpu=1,
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME}"
        " -p model {wildcards.model} -p seed {wildcards.seed} -p processes {PROCESSES}"


RUNS = expand(
    f"{RUN}/training/{{model}}_{{seed}}/outputs.parquet",
    model=PROFILE["models"],
    seed=PROFILE["seeds"],
)


rule table_2:
    input:
        RUNS,
        "aulib/results.py",
        "aulib/icc.py",
        "aulib/bootstrap.py",
        "data/paper_table_2.csv",
        notebook="notebooks/04_table_2.ipynb",
    output:
        notebook=f"{RUN}/notebooks/04_table_2.ipynb",
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME} -p source runs"


rule figures:
    input:
        RUNS,
        "aulib/results.py",
        "aulib/inference.py",
        "data/bp4d_statistics.json",
        notebook="notebooks/05_figures.ipynb",
    output:
        notebook=f"{RUN}/notebooks/05_figures.ipynb",
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME} -p source runs"
