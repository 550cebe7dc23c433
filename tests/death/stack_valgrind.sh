#!/bin/sh
# SPDX-License-Identifier: MIT
# An overflow under valgrind: the report is written, and then valgrind tells of the fault
# and of the frames of the coroutine, and ends the program by the signal.
#
# usage: stack_valgrind.sh PROGRAM

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}

valgrind=$(command -v valgrind) || skip 'there is no valgrind'
"$valgrind" -q /bin/true >/dev/null 2>&1 || skip 'valgrind does not run'
out=$("$valgrind" -q "$1" 2>&1 </dev/null)
status=$?

number=0
failed=0
has() {
	number=$((number + 1))
	if [ "$2" = yes ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		failed=1
	fi
}
says() {
	case $out in
	*"$1"*) echo yes ;;
	esac
}

echo 1..4
has 'the report is written' \
	"$(says 'libvmspace: stack overflow: stack 0 "endless" of pool "stacks"')"
has 'valgrind tells of the fault' "$(says 'default action of signal 11 (SIGSEGV)')"
has 'it shows the frames of the coroutine' "$(says ': recurse (')"
# 128 and the signal: what a shell makes of it.
has 'the program ends by the signal' "$([ $status = 139 ] && echo yes)"
[ $failed = 0 ] || echo "$out" | sed 's/^/# /'
exit $failed
