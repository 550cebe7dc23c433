#!/bin/sh
# SPDX-License-Identifier: MIT
# An overflow under gdb: it stops where the stack has overflowed, with the frames of
# the coroutine. When it goes on, the report is written and the fault happens again, and
# then the program ends by the signal.
#
# usage: stack_gdb.sh PROGRAM

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}

gdb=$(command -v gdb) || skip 'there is no gdb'
"$gdb" -nx -batch -ex run /bin/true >/dev/null 2>&1 </dev/null || skip 'gdb does not run'
out=$("$gdb" -nx -batch -ex 'run' -ex 'bt 2' -ex 'continue' -ex 'continue' "$1" 2>&1 </dev/null)
case $out in
*'exited normally'* | *SIGSEGV*) ;;
*) skip 'gdb cannot run a program here' ;;
esac

number=0
failed=0
has() {
	number=$((number + 1))
	case $out in
	*"$2"*) echo "ok $number - $1" ;;
	*)
		echo "not ok $number - $1"
		failed=1
		;;
	esac
}

echo 1..4
has 'gdb stops at the signal' 'received signal SIGSEGV'
has 'it shows the frames of the coroutine' ' in recurse ('
has 'the report is written when it goes on' \
	'libvmspace: stack overflow: stack 0 "endless" of pool "stacks"'
has 'the program ends by the signal' 'Program terminated with signal SIGSEGV'
[ $failed = 0 ] || echo "$out" | sed 's/^/# /'
exit $failed
