#!/usr/bin/env bash
# A grid on a SLURM cluster that consists of this machine:
#
#   bash tests/scripts/slurm.sh          trains the four runs of notebooks/grids/slurm.yaml and
#                                checks them
#   bash tests/scripts/slurm.sh COMMAND  runs COMMAND while the cluster is up; `bash` is a shell
#
# Run it from the repository's root, as root, on Debian or Ubuntu. A container is
# enough, since systemd is not needed. It takes minutes. It refuses to start on a machine
# that has a SLURM of its own.
set -euo pipefail

PYTHON=.venv/bin/python
dpkg --status slurm-wlm munge >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
}
# The constraints keep snakemake at the version that the other tests use.
$PYTHON -c 'import snakemake_executor_plugin_slurm' 2>/dev/null ||
    $PYTHON -m pip install --quiet --constraint constraints.txt \
        snakemake-executor-plugin-slurm

work=$(mktemp -d -t slurm-XXXXXX)
chmod 755 "$work" # munged requires that every user can reach its socket
# SLURM's default place. The plugin's jobs would not see the variable SLURM_CONF.
conf=/etc/slurm/slurm.conf
[[ ! -e $conf ]] || { echo "$conf is there: this machine has a SLURM" >&2; exit 1; }
mkdir -p /etc/slurm
ln -sf "$work/slurm.conf" $conf
daemons=()
stop() {
    code=$?
    scancel --user root || true # a job outlives the daemon that started it
    for _ in {1..40}; do
        [[ $(squeue --noheader) ]] || break
        sleep 1
    done
    for pid in "${daemons[@]}"; do kill "$pid" && wait "$pid" || true; done
    rm -f $conf
    ((code == 0)) && rm -rf "$work" || echo "exit $code; logs of the daemons: $work"
    exit "$code"
} 2>/dev/null
trap stop EXIT
trap "exit 130" INT TERM

# No cgroups, since most containers may not make any. No accounting database, as on many
# small clusters. The node has the size given here, not the machine's.
node=$(hostname -s)
cat >"$work/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=8192
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE
CONF
mkdir "$work/state" "$work/spool"

start() { # a daemon as a background job, so that `stop` knows its process id
    "$@" >"$work/$(basename "$1").out" 2>&1 &
    daemons+=($!)
}
(umask 077 && head -c 128 /dev/urandom >"$work/munge.key")
start munged --foreground --key-file "$work/munge.key" --socket "$work/munge.socket" \
    --pid-file "$work/munged.pid" --log-file "$work/munged.log" \
    --seed-file "$work/munge.seed"
for _ in {1..50}; do
    [[ -S $work/munge.socket ]] && break
    sleep 0.2
done
start slurmctld -D
start slurmd -D
for _ in {1..60}; do
    [[ $(sinfo --noheader --format %T 2>/dev/null) == idle ]] && break
    sleep 1
done
sinfo
[[ $(sinfo --noheader --format %T) == idle ]]

if (($#)); then
    "$@"
    exit
fi

export TQDM_DISABLE=1
$PYTHON -m snakemake --cores 2 --nolock --quiet host reason --config profile=tiny \
    -- runs/tiny/clean/frames.parquet

runs=$($PYTHON -c 'from companion.base.grids import load_grid, runs_of
for _, model, seed in runs_of(load_grid("slurm")): print(f"{model}_{seed}")')
for run in $runs; do rm -rf "runs/tiny/training/$run"; done

grid() { # asks for the state of the jobs after five seconds instead of forty
    $PYTHON -m snakemake --executor slurm --jobs 2 --slurm-status-command squeue \
        --slurm-init-seconds-before-status-checks 5 --nolock --keep-going \
        --config profile=tiny grid=slurm -- grid 2>&1
}
grid
echo "--- squeue and scontrol of the jobs:"
squeue --states all --format "%i %T %C %m %l %M %k"
scontrol show job | grep -E "JobState|RunTime|NumCPUs|TRES="

for run in $runs; do ls "runs/tiny/training/$run/provenance.json"; done

echo "--- a second call"
grid | tee "$work/second.log"
grep -q "Nothing to be done" "$work/second.log"

echo "--- without one of the runs: $run"
rm -r "runs/tiny/training/$run"
grid | tee "$work/third.log"
grep -qE "^grid_run +1$" "$work/third.log"
ls "runs/tiny/training/$run/provenance.json"
echo "passed"
