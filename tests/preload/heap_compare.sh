#!/bin/sh
# SPDX-License-Identifier: MIT
#
# heap_compare.sh LIBRARY MALLOC LEAST PROGRAM [ARGUMENT...]
#
# Runs a program bare and under the preload library, both with the malloc of a
# library, or with libc's (MALLOC is libc). Each line that it prints is a case:
# both runs must print the same. The heap must have made at least LEAST blocks,
# or nothing was shown; where LEAST is 0 it must have made none.

library=$(realpath "$1")
malloc=$2
least=$3
shift 3

if [ "$malloc" = libc ]; then
	malloc=
elif ! LD_PRELOAD=$malloc true 2>&1 | awk 'END { exit NR > 0 }'; then
	echo "1..0 # SKIP the loader has no $malloc"
	exit 0
fi

directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
: >"$directory/stats"

LD_PRELOAD=$malloc "$@" >"$directory/bare" 2>"$directory/bare.err"
echo "exit $?" >>"$directory/bare"

# Not for the shell: a program that the stats are of.
env VMSPACE_HEAP_STATS="$directory/stats" LD_PRELOAD="$library $malloc" \
	"$@" >"$directory/preloaded" 2>"$directory/preloaded.err"
echo "exit $?" >>"$directory/preloaded"

made=$(sed -n 's/.* allocations \([0-9]*\) .*/\1/p' "$directory/stats" |
	sort -n | tail -n 1)

awk -v made="${made:-0}" -v least="$least" '
	FNR == NR { bare[FNR] = $0; count = FNR; next }
	{ preloaded[FNR] = $0; if (FNR > count) count = FNR }
	END {
		for (i = 1; i <= count; i++) {
			gsub(/#/, "", bare[i])
			gsub(/#/, "", preloaded[i])
			if (preloaded[i] == bare[i]) {
				print "ok " i " - " bare[i]
			} else {
				print "not ok " i " - " bare[i]
				print "# under the preload: " preloaded[i]
			}
		}
		good = least > 0 ? made + 0 >= least + 0 : made == 0
		print (good ? "ok " : "not ok ") i \
			" - the heap made " made + 0 " blocks, expected " \
			least
		print "1.." i
	}' "$directory/bare" "$directory/preloaded"

sed 's/^/# /' "$directory/preloaded.err" "$directory/stats"
