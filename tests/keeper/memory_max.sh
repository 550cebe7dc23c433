#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# 'vmspace limit cgroup' under the memory.max of a kernel, version 2, tried in the machine
# that scripts/bpf-check boots, as root. Prints TAP.
#
# usage: memory_max.sh VMSPACE HOG
vmspace=$1 hog=$2
groups=/sys/fs/cgroup
cases=0

grep -q " $groups cgroup2 " /proc/mounts || mount -t cgroup2 cgroup2 $groups

# has NAME WANTED GOT: what is wanted is in it.
has() {
	cases=$((cases + 1))
	case $3 in
	*"$2"*) echo "ok $cases - $1" ;;
	*)
		echo "not ok $cases - $1"
		echo "# wanted '$2', got '$3'"
		;;
	esac
}

# within GROUP PROGRAM...: in a shell that has joined the group.
within() {
	group=$1
	shift
	sh -c 'echo 0 >"$0/cgroup.procs"; exec "$@"' "$groups/$group" "$@" 2>&1
	echo "status $?"
}

limit_of() {
	"$vmspace" limit --json | tr -d ' \n' | sed 's/.*"limit":\([0-9]*\).*/\1/'
}

# becomes NAME BYTES: the limit of the only group.
becomes() {
	tries=600
	until [ "$(limit_of)" = "$2" ] || [ $tries = 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	has "$1" "$2" "$(limit_of)"
}

echo +memory >$groups/cgroup.subtree_control
mkdir $groups/max
echo +memory >$groups/max/cgroup.subtree_control
mkdir $groups/max/one $groups/max/two
echo 96M >$groups/max/memory.max
echo 64M >$groups/max/one/memory.max

large="dd if=/dev/zero of=/dev/null bs=80M count=1"
# shellcheck disable=SC2086
{
	has "without a limit what asks for too much is killed" "status 137" \
		"$(within max/one $large)"
	has "with one it is told" "out of memory" \
		"$(within max/one "$vmspace" limit cgroup:90% -- $large)"
	has "and ends by itself" "status 1" \
		"$(within max/one "$vmspace" limit cgroup:90% --quiet -- $large)"
}
has "the limit is memory.max" "of 64M" \
	"$(within max/one "$vmspace" limit cgroup -- true)"
has "or a part of it" "of 32M" \
	"$(within max/one "$vmspace" limit cgroup:50% -- true)"
has "that of a group above where that is less" "of 96M" \
	"$(within max/two "$vmspace" limit cgroup -- true)"
has "a program gets what there is, and no more" " 12" \
	"$(within max/one "$vmspace" limit cgroup:50% --quiet -- "$hog" mmap)"
mkfifo /tmp/goes-on
within max/two "$vmspace" limit cgroup --quiet -- sh -c 'read -r line' </tmp/goes-on \
	>/tmp/followed &
exec 9>/tmp/goes-on
becomes "a group is listed with it" $((96 << 20))
echo 128M >$groups/max/memory.max
becomes "and follows when it is raised" $((128 << 20))
echo 80M >$groups/max/two/memory.max
becomes "and when that of a group below is lowered" $((80 << 20))
echo max >$groups/max/two/memory.max
becomes "and taken away" $((128 << 20))
exec 9>&-
wait
has "the program ends as it would" "status 1" "$(cat /tmp/followed)"
echo "1..$cases"
