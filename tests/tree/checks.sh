#!/bin/sh
# SPDX-License-Identifier: MIT
#
# checks.sh ROOT COMPILER...
#
# The sources that have checks of their own for debug builds compile with them, by a
# compiler that builds the library without them, and where nothing is optimised.

root=$1
shift
cd "$root" || exit 1
cases=0
for source in $(grep -rlE 'VMSI_DEBUG|vmsi_debug_check' --include='*.c' src | sort); do
	cases=$((cases + 1))
	if "$@" -std=gnu17 -D_GNU_SOURCE -DVMSI_DEBUG -O0 -fsyntax-only -Wall -Wextra -Wpedantic \
		-Werror -Wconversion -Wno-sign-conversion -Wshadow -Wundef -Isrc -Iinclude \
		"$source"; then
		echo "ok $cases - $source"
	else
		echo "not ok $cases - $source"
	fi
done
[ "$cases" -gt 10 ] || echo "not ok $((cases += 1)) - there are sources with checks"
echo "1..$cases"
