#!/usr/bin/env bash
#SBATCH --job-name=epg_tf
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=16
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=1G
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@900
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%j.out
# A rank on every task of an allocation, under horovodrun. From the checkout, on a file system that all nodes share:
#   sbatch launch/slurm.sh python -m epg_tf.train --gin_file gin/reacher.gin --root_dir runs/reacher
# SBATCH options before launch/slurm.sh change those above. 15 minutes before the time limit the run stops at the end of
# its epoch, and the job goes back to the queue, where the same command goes on. EPG_NETWORK names the interface that the
# ranks speak over, such as eth0 (docs/cluster.md).
set -uo pipefail

if [[ $# -eq 0 || -z "${SLURM_JOB_ID:-}" ]]; then
  echo "slurm: usage: sbatch launch/slurm.sh python -m epg_tf.train ..." >&2
  exit 2
fi
cd "${SLURM_SUBMIT_DIR:-.}" || exit 2 # Slurm runs a copy of this file, from a folder of its own
# shellcheck source=/dev/null
source .venv/bin/activate || exit 2
export TF_CPP_MIN_LOG_LEVEL=3 # horovodrun imports TensorFlow too, and would let it speak

# The node that this script runs on comes first, and so has rank 0.
per_node=${SLURM_NTASKS_PER_NODE:-1}
names=$(scontrol show hostnames "$SLURM_JOB_NODELIST") || exit 1
hosts=$(while read -r name; do echo "$name:$per_node"; done <<<"$names" | paste -sd ,)
ranks=$(($(wc -l <<<"$names") * per_node))
network=()
if [[ -n "${EPG_NETWORK:-}" ]]; then network=(--network-interfaces "$EPG_NETWORK"); fi

# Rank 0 says which process it is: a signal to it stops all ranks at the end of the epoch, however long that is. To
# horovodrun it would stop them within five seconds.
first=$(mktemp)
trap 'rm -f "$first"' EXIT
requeue=
# shellcheck disable=SC2329 # traps invoke it
stop() {
  local pid
  pid=$(cat "$first")
  if [[ -n "$pid" ]]; then kill -TERM "$pid" 2>/dev/null; else kill -TERM "$job" 2>/dev/null; fi
}
trap 'requeue=1; stop' USR1
trap 'stop' INT TERM
# shellcheck disable=SC2016 # the rank's own shell is to read these variables
horovodrun -np "$ranks" -H "$hosts" "${network[@]}" \
  bash -c 'if [[ "$HOROVOD_RANK" == 0 ]]; then echo "$$" >"$0"; fi; exec "$@"' "$first" "$@" &
job=$!
wait "$job"
code=$?
while kill -0 "$job" 2>/dev/null; do # a signal ended the waiting, not the job
  wait "$job"
  code=$?
done
if [[ -n "$requeue" && $code -ne 0 ]]; then
  echo "slurm: back to the queue; the same command goes on." >&2
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
