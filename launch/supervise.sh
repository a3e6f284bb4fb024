#!/usr/bin/env bash
# Starts a command again when it fails, which goes on from its last checkpoint then:
#   launch/supervise.sh [RESTARTS [SECONDS]] -- horovodrun -np 32 python -m epg_tf.train ...
# RESTARTS (5) times at most, after SECONDS (10), then twice as many, and so on. What ends well, is stopped by a signal,
# or says that its input is bad (exit code 2) is not started again.
set -uo pipefail

restarts=5 pause=10
if [[ "${1:-}" != -- ]]; then restarts="${1:-}" && shift; fi
if [[ "${1:-}" != -- ]]; then pause="${1:-}" && shift; fi
if [[ "${1:-}" != -- || $# -lt 2 || ! "$restarts" =~ ^[0-9]+$ || ! "$pause" =~ ^[0-9]+$ ]]; then
  echo "supervise: usage: launch/supervise.sh [RESTARTS [SECONDS]] -- COMMAND..." >&2
  exit 2
fi
shift

# A signal goes to the command, which stops in its own way; it ends the supervision too.
stopped=
child=
trap 'stopped=1; [[ -n "$child" ]] && kill -TERM "$child" 2>/dev/null' INT TERM
for ((failures = 0; ; failures++)); do
  "$@" &
  child=$!
  wait "$child"
  code=$?
  while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
  if [[ -n "$stopped" || $code -eq 0 || $code -eq 2 || $code -eq 130 || $code -eq 143 ]]; then
    exit "$code"
  fi
  if ((failures >= restarts)); then
    echo "supervise: exit code $code once more; given up after $restarts restarts." >&2
    exit "$code"
  fi
  echo "supervise: exit code $code; starting again in $pause s ($((failures + 1)) of $restarts)." >&2
  sleep "$pause" &
  child=$!
  wait "$child"
  if [[ -n "$stopped" ]]; then exit 130; fi
  pause=$((2 * pause))
done
