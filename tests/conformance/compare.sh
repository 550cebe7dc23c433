#!/bin/sh
# SPDX-License-Identifier: MIT
#
# compare.sh LIBRARY LEAST PROGRAM [ARGUMENT...]
#
# Runs a program bare and under the preload library. Each line that it prints
# is a case: both runs must print the same. The library must have served at
# least LEAST calls, or nothing was shown.

library=$(realpath "$1")
least=$2
shift 2

directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
: >"$directory/stats"

"$@" >"$directory/bare" 2>"$directory/bare.err"
echo "exit $?" >>"$directory/bare"

VMSPACE_REHOME_STATS=$directory/stats LD_PRELOAD=$library \
	"$@" >"$directory/preloaded" 2>"$directory/preloaded.err"
echo "exit $?" >>"$directory/preloaded"

# The first process is the program itself; those that it executed follow.
served=$(sed -n 's/.* served \([0-9]*\) .*/\1/p' "$directory/stats" |
	sort -n | tail -n 1)

awk -v served="${served:-0}" -v least="$least" '
	FNR == NR { bare[FNR] = $0; count = FNR; next }
	{ preloaded[FNR] = $0; if (FNR > count) count = FNR }
	END {
		for (i = 1; i <= count; i++) {
			gsub(/#/, "", bare[i])
			if (preloaded[i] == bare[i] && bare[i] ~ /^SKIP: /) {
				print "ok " i " - # " bare[i]
			} else if (preloaded[i] == bare[i]) {
				print "ok " i " - " bare[i]
			} else {
				print "not ok " i " - " bare[i]
				print "# under the preload: " preloaded[i]
			}
		}
		print (served + 0 >= least + 0 ? "ok " : "not ok ") i \
			" - the space served at least " least " calls"
		print "# served " served
		print "1.." i
	}' "$directory/bare" "$directory/preloaded"

sed 's/^/# /' "$directory/preloaded.err"
sed 's/^/# /' "$directory/stats"
