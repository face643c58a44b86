# The papermill runs as a graph:
#   00 the stand-in by itself
#   data → 01 cleaning → 03 training (model × seed) → 02 PCA, before and after training
#                                                   → 04 Table II
#                                                   → 05 figures
#                                                   → 07 ICC(3,1)
#                                                   → 08 claims
#
#   snakemake --cores all                        the stand-in, all of it
#   snakemake --cores all --config profile=bp4d  the real data
#   snakemake -n                                 what would run, and why
#   snakemake --config processes=4 …             four GPUs share each training
#   snakemake --cores all pretrain               the stand-in's pre-trained weights
#   snakemake --cores all --keep-going --config grid=ablation -- grid
#                                                the runs of notebooks/grids/ablation.yaml
#   snakemake --executor slurm --jobs 8 --keep-going --config grid=ablation gpus=1 -- grid
#                                                the same on a cluster, see docs/running.md
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from companion.base.grids import find_settings, load_grid, runs_of
from companion.base.paths import ROOT
from companion.base.profiles import load_profile
from companion.bp4d.layout import find_layout, tree_state
from companion.standin.tree import MODULES
from companion.workflow.doctor import training_memory

NAME = config.get("profile", "standin")
try:
    PROFILE = load_profile(NAME)
    if not PROFILE["standin"]:
        find_layout(ROOT / PROFILE["data_root"])
except (OSError, ValueError) as error:  # one line instead of a traceback
    raise WorkflowError(str(error)) from None


def count(name, default, least):
    """A whole number of the command line."""
    value = str(config.get(name, default))
    if not value.isdecimal() or int(value) < least:
        raise WorkflowError(f"{name}={value}: a whole number of {least} or more")
    return int(value)


PROCESSES = count("processes", 1, 1)  # of each training
# On a cluster this file is evaluated on the head node, in each job and in its step, with
# the same result: it does not count local cores or GPUs, and only the head node retries.
CLUSTER = workflow.remote_exec or workflow.resource_settings.nodes is not None
CORES = count("cores", 8, 1) if CLUSTER else workflow.cores
RETRIES = 0 if workflow.remote_exec else 1
# Per run of a grid: GPUs (on a cluster `--config gpus=1` asks for one), and the minutes
# after which the cluster may stop it. An interrupted run resumes after its last epoch.
GPUS = count("gpus", int(not CLUSTER and shutil.which("nvidia-smi") is not None), 0)
RUNTIME = count("runtime", 24 * 60, 1)
RUN = f"runs/{NAME}"
# Crops and trainings are not outputs of their rules, since Snakemake removes outputs
# before a rule runs again; notebook 01 and `companion.training` check and resume them.
# A mark in their directory is an output: who removes the directory has it made again.
CROPS = f"{RUN}/crops/made"
TRAINED = f"{RUN}/training/{{model}}_{{seed}}/notebook_03"
CLEAN = f"{RUN}/clean/frames.parquet"
TREE = PROFILE["data_root"]
# The stand-in is complete once standin.json exists.
DATA = f"{TREE}/standin.json" if PROFILE["standin"] else TREE
# Snakemake looks at a folder's own time only: a picture or CSV that is mended deep in a
# real tree shows in the newest time and the number of its files and folders.
STATE = None if PROFILE["standin"] else tree_state(ROOT / TREE)
PYTHON = shlex.quote(sys.executable)
NOTEBOOK = f"{PYTHON} -m companion.workflow.execute"
RENDERER = [f"companion/standin/{module}.py" for module in MODULES]
PRETRAINED = f"{RUN}/pretrained/standin_vgg16.pt"


def settings(*keys):
    """The part of the profile that a rule depends on; a change reruns the rule."""
    return {key: PROFILE[key] for key in keys}


def sources(*folders):
    """The modules of some folders of `companion`; a change reruns the rule."""
    return [str(p) for folder in folders for p in sorted(Path("companion", folder).glob("*.py"))]


def weights(settings):
    """The file that a model starts from, where it is one."""
    path = settings.get("weights")
    return [] if path in (None, "imagenet") else path


def protocol(profile, model):
    """The settings of a training whose change trains it anew."""
    shared = ("epochs", "batch_size", "learning_rate_step", "momentum", "weight_decay")
    return {key: profile[key] for key in (*shared, "network_width")} | model


wildcard_constraints:
    seed=r"\d+",


localrules:
    all,


RUNS = expand(
    [TRAINED, f"{RUN}/notebooks/03_training_{{model}}_{{seed}}.ipynb"],
    model=PROFILE["models"],
    seed=PROFILE["seeds"],
)
STAND_IN = [f"{RUN}/notebooks/00_stand_in.ipynb"] if PROFILE["standin"] else []


rule all:
    input:
        STAND_IN,
        CROPS,
        f"{RUN}/notebooks/01_data_cleaning.ipynb",
        f"{RUN}/notebooks/02_pca_dropout.ipynb",
        RUNS,
        f"{RUN}/notebooks/04_table_2.ipynb",
        f"{RUN}/notebooks/05_figures.ipynb",
        f"{RUN}/notebooks/07_icc.ipynb",
        f"{RUN}/notebooks/08_claims.ipynb",


if PROFILE["standin"]:

    rule data:
        input:
            RENDERER,
        output:
            DATA,
        params:
            settings("standin"),
        threads: CORES
        shell:
            "{PYTHON} -m companion.standin {NAME}"

    rule stand_in:
        input:
            RENDERER,
            "companion/analysis/blocks.py",
            "companion/analysis/diagram.py",
            "companion/analysis/pictures.py",
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
            "companion/standin/pretrain.py",
        output:
            PRETRAINED,
        threads: CORES
        shell:
            "{PYTHON} -m companion.standin.pretrain {NAME} {output}"


rule cleaning:
    input:
        DATA,
        PROFILE["boxes"] or [],
        sources("bp4d", "faces"),
        "companion/analysis/pictures.py",
        "companion/crops/store.py",
        "companion/standin/damage.py",
        notebook="notebooks/01_data_cleaning.ipynb",
    output:
        CLEAN,
        touch(CROPS),
        notebook=f"{RUN}/notebooks/01_data_cleaning.ipynb",
    params:
        settings("title", "data_root", "boxes", "crop_size"),
        STATE,
    threads: CORES
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME}"


rule pca:
    input:
        CLEAN,
        CROPS,
        weights(PROFILE["models"]["proposed"]),
        TRAINED.format(model="proposed", seed=PROFILE["seeds"][0]),  # its spectrum too
        "companion/analysis/features.py",
        "companion/analysis/spectrum.py",
        notebook="notebooks/02_pca_dropout.ipynb",
    output:
        notebook=f"{RUN}/notebooks/02_pca_dropout.ipynb",
    params:
        settings("title", "network_width", "models"),
    resources:
        gpu=1,
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME}"


rule training:
    input:
        CLEAN,
        CROPS,
        lambda wildcards: weights(PROFILE["models"][wildcards.model]),
        notebook="notebooks/03_training.ipynb",
    output:
        # A change of the sources alone does not train a run anew: its log says so, and
        # the run is used as it was trained.
        touch(TRAINED),
        notebook=f"{RUN}/notebooks/03_training_{{model}}_{{seed}}.ipynb",
    params:
        lambda wildcards: protocol(PROFILE, PROFILE["models"][wildcards.model]),
    threads: PROFILE["threads"] * PROCESSES
    resources:
        gpu=1,
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME}"
        " -p model {wildcards.model} -p seed {wildcards.seed} -p processes {PROCESSES}"


rule table_2:
    input:
        RUNS,
        "aulib/icc.py",
        sources("analysis"),
        "data/paper_table_2.csv",
        "data/paper/five_best.csv",
        "notebooks/grids/table_2.yaml",
        notebook="notebooks/04_table_2.ipynb",
    output:
        notebook=f"{RUN}/notebooks/04_table_2.ipynb",
    params:
        settings("title", "seeds", "models"),
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME} -p source runs"


rule figures:
    input:
        RUNS,
        "aulib/inference.py",
        sources("analysis"),
        "data/bp4d_statistics.json",
        "data/paper/claims.csv",
        notebook="notebooks/05_figures.ipynb",
    output:
        notebook=f"{RUN}/notebooks/05_figures.ipynb",
    params:
        settings("title", "seeds", "models"),
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME} -p source runs"


rule icc:
    input:
        RUNS,
        "aulib/icc.py",
        sources("analysis"),
        "data/paper_table_2.csv",
        "notebooks/grids/table_2.yaml",
        notebook="notebooks/07_icc.ipynb",
    output:
        notebook=f"{RUN}/notebooks/07_icc.ipynb",
    params:
        settings("title", "seeds", "models"),
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME} -p source runs"


rule claims:
    input:
        RUNS,
        "aulib/inference.py",
        "aulib/loss.py",
        "aulib/sampler.py",
        "companion/standin/labels.py",
        sources("analysis"),
        "data/paper_table_2.csv",
        "data/paper/claims.csv",
        "data/paper/five_best.csv",
        "data/paper/literature.csv",
        "data/paper/table_1.csv",
        "data/bp4d_statistics.json",
        "data/judged_faces.csv",
        "notebooks/grids/ablation.yaml",
        "notebooks/grids/table_2.yaml",
        notebook="notebooks/08_claims.ipynb",
    output:
        notebook=f"{RUN}/notebooks/08_claims.ipynb",
    params:
        settings("title", "seeds", "models", "standin"),
    shell:
        "{NOTEBOOK} {input.notebook} {output.notebook} -p profile {NAME} -p source runs"


if GRID := config.get("grid"):
    try:
        GRID_RUNS = runs_of(load_grid(GRID))
    except ValueError as error:
        raise WorkflowError(str(error)) from None
    PROFILES = {profile: load_profile(profile) for profile, _, _ in GRID_RUNS}
    if NAME not in PROFILES:
        raise WorkflowError(
            f"notebooks/grids/{GRID}.yaml: profiles: {', '.join(PROFILES)}, not {NAME}; "
            f"add {NAME} there, or choose PROFILE={next(iter(PROFILES))}"
        )
    OTHERS = set(PROFILES) - {NAME}

    def grid_settings(wildcards):
        return find_settings(PROFILES[wildcards.profile], wildcards.model, GRID)

    rule grid:
        input:
            [f"runs/{p}/training/{model}_{seed}/grid" for p, model, seed in GRID_RUNS],

    rule grid_run:
        input:
            "runs/{profile}/crops/made",
            lambda wildcards: weights(grid_settings(wildcards)),
        output:
            touch("runs/{profile}/training/{model}_{seed}/grid"),
        params:
            lambda wildcards: protocol(
                PROFILES[wildcards.profile], grid_settings(wildcards)
            ),
        threads: lambda wildcards: PROFILES[wildcards.profile]["threads"]
        retries: RETRIES
        resources:
            gpu=GPUS,
            mem_mb=lambda wildcards: training_memory(PROFILES[wildcards.profile]),
            runtime=RUNTIME,
        shell:
            "{PYTHON} -m companion.training {wildcards.profile} {wildcards.model}"
            " {wildcards.seed} --grid {GRID}"

    if OTHERS:

        rule other_profile:
            output:
                touch("runs/{profile}/crops/made"),
            wildcard_constraints:
                profile="|".join(OTHERS),
            threads: CORES
            shell:
                "{PYTHON} -m snakemake --cores {threads} --nolock --quiet host"
                " --config profile={wildcards.profile} -- {output}"
