#!/usr/bin/env bash
# Runs a script under valgrind and fails on a definite leak in a plugin, or an
# error in it: run.sh [NYASH_TOML SCRIPT LIBRARY], FileBox's without arguments.
# NYASH names another nyash than bin/nyash.
#
# A Go program without cgo runs under valgrind as it is; what
# valgrind sees of Go's own runtime is not the plugin's and is not counted, only
# what has the plugin's code in its stack is.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
nyash=${NYASH:-$root/bin/nyash}
config=${1:-$root/nyash.toml}
script=${2:-$root/tests/memcheck/filebox.star}
library=${3:-libnyash_filebox_plugin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Without the debugger's stack checks: goroutines switch stacks all the time.
status=0
valgrind --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
  --max-stackframe=8000000 --num-callers=30 --xml=yes --xml-file=report.xml \
  "$nyash" --config "$config" run "$script" \
  >out.txt 2>err.txt || status=$?
cat out.txt
if [ "$status" -ne 0 ]; then
  cat err.txt >&2
  echo "memcheck: the script failed under valgrind (status $status)" >&2
  exit 1
fi

# An error belongs to the plugin when a frame of its stack does.
awk -v lib="$library" '
  /<error>/ { text = ""; inside = 1; ours = 0 }
  inside { text = text "\n" $0; if (index($0, lib) && $0 ~ /<obj>/) ours = 1 }
  /<\/error>/ {
    total++
    inside = 0
    if (ours) { errors++; print text }
    if (ours && match(text, /<leakedbytes>[0-9]+/)) lost += substr(text, RSTART + 13, RLENGTH - 13)
  }
  END {
    printf "memcheck: %s: %d bytes definitely lost, %d errors (%d reports of other code left aside)\n", lib, lost, errors, total - errors
    exit errors > 0
  }
' report.xml
