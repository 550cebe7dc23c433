#!/bin/sh
# SPDX-License-Identifier: MIT
#
# stress.sh LIBRARY STRESSOR [SECONDS]
#
# A stressor of stress-ng with --verify must end under the preload library as
# it ends bare, and must have sent calls into the space.

library=$(realpath "$1")
stressor=$2
seconds=${3:-1}

if ! command -v stress-ng >/dev/null; then
	echo "1..0 # SKIP there is no stress-ng on PATH"
	exit 0
fi

directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
: >"$directory/stats"

# Little memory: the test machine has others to serve. And of moves few, since kernels
# from Linux 6.15 on never give back what they charge for one that shrinks: they would
# say for ever that the machine has promised more (docs/semantics.md).
case $stressor in
mmap) options="--mmap-bytes 16M" ;;
mremap) options="--mremap-bytes 256K --mremap-ops 16" ;;
msync) options="--msync-bytes 16M" ;;
vm) options="--vm-bytes 32M" ;;
fork) options="--fork-vm" ;;
*) options= ;;
esac

run() {
	# shellcheck disable=SC2086
	stress-ng --"$stressor" 1 $options --verify --timeout "$seconds" \
		--temp-path "$directory" --metrics-brief --no-rand-seed
}

run >"$directory/bare" 2>&1
bare=$?
VMSPACE_REHOME_STATS=$directory/stats LD_PRELOAD=$library
export VMSPACE_REHOME_STATS LD_PRELOAD
run >"$directory/preloaded" 2>&1
preloaded=$?
unset LD_PRELOAD

served=$(sed -n 's/.* served \([0-9]*\) .*/\1/p' "$directory/stats" |
	sort -n | tail -n 1)

# Complaints of --verify, without what differs from run to run.
complaints() {
	grep -E 'fail:|error:|unsuccessful' "$1" | sed 's/\[[0-9]*\]//' | sort -u
}
complaints "$directory/bare" >"$directory/bare.complaints"
complaints "$directory/preloaded" >"$directory/preloaded.complaints"
new=$(grep -vxF -f "$directory/bare.complaints" \
	"$directory/preloaded.complaints")

echo "1..3"
[ "$preloaded" -eq "$bare" ] || printf 'not '
echo "ok 1 - $stressor: exit status $preloaded, bare $bare"
[ -z "$new" ] || printf 'not '
echo "ok 2 - $stressor: no complaint that the bare run does not have"
[ "${served:-0}" -ge 20 ] || printf 'not '
echo "ok 3 - $stressor: the space served ${served:-0} calls"
sed 's/^/# /' "$directory/preloaded" "$directory/stats"
