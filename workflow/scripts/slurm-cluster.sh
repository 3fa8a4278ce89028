#!/usr/bin/env bash
# A real Slurm on this one machine, for the tests: a controller and two node daemons.
#   slurm-cluster.sh check        say what is missing and how to get it; exit 1 if anything is
#   slurm-cluster.sh install      the same, but on Debian or Ubuntu as root install it first; exit 0
#   slurm-cluster.sh with COMMAND run COMMAND beside a cluster in a temporary folder, which
#                                 SLURM_TEST_CLUSTER names and which is gone afterwards, whatever
#                                 happens; without Slurm, COMMAND runs without the variable
#   slurm-cluster.sh start DIR    write DIR/slurm.conf and start; use it with DIR/bin first in PATH
#                                 and SLURM_CONF=DIR/slurm.conf
#   slurm-cluster.sh crash DIR N  kill node N (1 or 2): its daemon and all that runs on it
#   slurm-cluster.sh revive DIR N start the daemon of node N again
#   slurm-cluster.sh stop DIR     cancel all jobs and end the daemons; DIR can be removed then
# No file outside DIR is written, and a cluster that the machine belongs to is left alone.
set -euo pipefail

readonly PROGRAMS=(munged slurmctld slurmd sbatch squeue scancel srun scontrol sinfo)
# Debian keeps the daemons where only root's PATH looks.
export PATH=$PATH:/usr/sbin:/sbin
# Ports of our own: another Slurm on this machine may have the usual ones.
readonly CONTROLLER_PORT=${SLURM_TEST_PORT:-17000}

# The package would start daemons of its own on a machine with systemd; they have no configuration
# and end at once.
readonly NEEDED_FOR="The Slurm test needs Slurm" PACKAGES=(slurm-wlm)
# shellcheck source=workflow/scripts/programs.sh
source "${BASH_SOURCE[0]%/*}/programs.sh"

write_configuration() {
    local dir=$1 user first=$((CONTROLLER_PORT + 1)) last=$((CONTROLLER_PORT + 2))
    user=$(id -un)
    # No accounting: the cluster lives for a test. A key of its own, because its ports are open
    # meanwhile: without one, who reaches them could run what he likes as this user. A node that is
    # silent for ten seconds is down, and its jobs fail; jobs are remembered for a day, because
    # `squeue` is asked what became of them. Memory is counted and not held: a node may say that
    # it has more than the machine.
    cat >"$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort=$CONTROLLER_PORT
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/jobcomp.txt
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0
MinJobAge=86400
SlurmdParameters=config_overrides
DefMemPerCPU=500
NodeName=n[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[$first-$last] \
    CPUs=1 RealMemory=32000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

# Authentication by a key that exists as long as the cluster.
start_munge() {
    local dir=$1
    # Others may pass the folder, as the socket must be, and read nothing in it.
    chmod 711 "$dir"
    (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
    munged --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
        --log-file="$dir/munged.log" --seed-file="$dir/munged.seed" --num-threads=2
}

# Waits for at most 30 seconds until both nodes take jobs.
wait_until_idle() {
    local dir=$1
    for _ in {1..60}; do
        [[ $(sinfo --noheader --Node --format=%t 2>/dev/null | grep -cx idle) == 2 ]] && return 0
        sleep 0.5
    done
    echo "Slurm did not come up within 30 seconds; the ends of its logs:" >&2
    tail -n 20 "$dir"/*.log >&2
    return 1
}

# Snakemake clears the variables of Slurm for the step inside a job, SLURM_CONF among them: an srun
# that knows its cluster stands first in PATH.
write_srun() {
    local dir=$1
    mkdir -p "$dir/bin"
    printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$dir/slurm.conf" "$(command -v srun)" \
        >"$dir/bin/srun"
    chmod +x "$dir/bin/srun"
}

start() {
    local dir=$1 node
    mkdir -p "$dir/state" "$dir/spool.n1" "$dir/spool.n2"
    write_configuration "$dir"
    write_srun "$dir"
    start_munge "$dir"
    export SLURM_CONF=$dir/slurm.conf
    slurmctld -c -f "$SLURM_CONF"
    for node in 1 2; do
        revive "$dir" "$node"
    done
    wait_until_idle "$dir"
}

revive() {
    slurmd -c -f "$1/slurm.conf" -N "n$2"
}

# The process ids of what runs on a node (n1, or n[12] for both): its jobs carry its name in their
# environment; the daemons that keep them, one for each step, are their parents.
jobs_on() {
    local dir=$1 node=$2 file pid parent variables
    for file in /proc/[0-9]*/environ; do
        pid=${file//[^0-9]/}
        variables=$({ tr '\0' '\n' <"$file"; } 2>/dev/null) || continue
        grep -qx "SLURM_CONF=$dir/slurm.conf" <<<"$variables" || continue
        grep -qx "SLURMD_NODENAME=$node" <<<"$variables" || continue
        parent=$(ps -o ppid= -p "$pid" 2>/dev/null | tr -d ' ')
        [[ -n $parent && $(ps -o comm= -p "$parent" 2>/dev/null) == slurmstepd* ]] && echo "$parent"
        echo "$pid"
    done | sort -un
}

# As when its power fails: nothing of the node says goodbye.
crash() {
    local dir=$1 node=n$2 pids
    kill -KILL "$(cat "$dir/slurmd.$node.pid")"
    rm -f "$dir/slurmd.$node.pid"
    pids=$(jobs_on "$dir" "$node")
    # shellcheck disable=SC2086  # one word for each process
    [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
}

stop() {
    local dir=$1 pids file
    SLURM_CONF=$dir/slurm.conf timeout 10 scancel --user="$(id -un)" 2>/dev/null || true
    pids=$(jobs_on "$dir" 'n[12]')
    for file in "$dir"/slurmd.*.pid "$dir"/{slurmctld,munged}.pid; do
        [[ ! -e $file ]] || pids+=" $(cat "$file")"
    done
    # shellcheck disable=SC2086
    [[ -z $pids ]] || kill -TERM $pids 2>/dev/null || true
    for _ in {1..50}; do
        # shellcheck disable=SC2086
        [[ -n $pids ]] && kill -0 $pids 2>/dev/null || return 0
        sleep 0.1
    done
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
}

# When this is told to end, so is the command, before its cluster goes.
with() {
    local dir command status=0
    if ! check_programs; then
        "$@" || status=$?
        return "$status"
    fi
    dir=$(mktemp -d "${TMPDIR:-/tmp}/slurm.XXXXXX")
    # shellcheck disable=SC2064  # the folder of now
    trap "stop '$dir' || true; rm -rf '$dir'" EXIT
    trap 'kill -TERM "${command:-}" 2>/dev/null; wait; exit 143' INT TERM HUP
    start "$dir"
    SLURM_TEST_CLUSTER=$dir "$@" &
    command=$!
    wait "$command" || status=$?
    return "$status"
}

case ${1:-} in
check) check_programs ;;
install) install_programs ;;
with) with "${@:2}" ;;
start) start "$2" ;;
crash) crash "$2" "$3" ;;
revive) revive "$2" "$3" ;;
stop) stop "$2" ;;
*)
    echo "usage: slurm-cluster.sh check | install | with COMMAND | start DIR | crash DIR N |" \
        "revive DIR N | stop DIR" >&2
    exit 2
    ;;
esac
