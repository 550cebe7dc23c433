#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck shell=dash disable=SC2012,SC2154
# Limits that the kernel keeps, tried in the machine that scripts/bpf-check boots, as
# root. Prints TAP.
#
# usage: guest.sh VMSPACE HOG BPFTOOL PROGRAMS
vmspace=$1 hog=$2 bpftool=$3 programs=$4
groups=/sys/fs/cgroup
pins=/sys/fs/bpf/vmspace
cases=0

grep -q " $groups cgroup2 " /proc/mounts || mount -t cgroup2 cgroup2 $groups
mount -t bpf bpf /sys/fs/bpf
mkdir -p /tmp/t
echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>/etc/passwd

# is NAME WANTED GOT
is() {
	cases=$((cases + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $cases - $1"
	else
		echo "not ok $cases - $1"
		echo "# wanted '$2', got '$3'"
	fi
}

# between NAME LEAST MOST "GOT ERRNO" ERRNO
between() {
	set -- "$1" "$2" "$3" "${4% *}" "${4#* }" "$5"
	if [ "${4:--1}" -ge "$2" ] && [ "$4" -le "$3" ]; then
		is "$1" "$6" "$5"
	else
		is "$1" "$2 to $3" "$4"
	fi
}

# has NAME WANTED GOT: what is wanted is in it.
has() {
	case $3 in
	*"$2"*) is "$1" "$2" "$2" ;;
	*) is "$1" "$2" "$3" ;;
	esac
}

limit() { "$vmspace" limit "$@" 2>&1; }

# within GROUP PROGRAM...: replaces a shell that has joined the group.
within() {
	local group="$1"
	shift
	sh -c 'echo 0 >"$0/cgroup.procs"; exec setsid "$@"' "$groups/$group" "$@" 2>&1
}

# keep NAME GROUP PROGRAM...: start what tells a line and lives until it is let go.
keep() {
	local name="$1" group
	shift
	rm -f "/tmp/t/$name.in" "/tmp/t/$name"
	mkfifo "/tmp/t/$name.in"
	group=$1
	shift
	# One process from the shell to the program, so that it is known by its number.
	sh -c 'echo 0 >"$0/cgroup.procs"; exec setsid "$@"' "$groups/$group" "$@" \
		<"/tmp/t/$name.in" >"/tmp/t/$name" 2>&1 &
	eval "kept_$name=$!"
	sleep 1000 >"/tmp/t/$name.in" &
	eval "holds_$name=$!"
	until [ -s "/tmp/t/$name" ]; do sleep 0.05; done
}

let_go() {
	eval "kill \$holds_$1; wait \$holds_$1 \$kept_$1" 2>/dev/null
}

# used GROUP: what the list says of it, in bytes.
used() {
	limit --json | tr -d '\n ' | tr '{' '\n' | grep "\"$groups/$1\"" |
		sed 's/.*"committed":\([0-9]*\).*/\1/'
}

mkdir $groups/a
is "there are no pins before a limit" "" "$(ls $pins 2>/dev/null)"
is "a list without limits" "No group runs under a limit." "$(limit)"
is "a limit is set" "" "$(limit --cgroup=$groups/a 64M)"
# Without it nothing else is worth a try; the kernel says why.
if [ ! -d $pins ]; then
	"$bpftool" -d prog loadall "$programs" $pins-try 2>&1 | tail -n 60
	exit 1
fi
is "the programs are pinned" 22 "$(ls $pins | wc -l)"

for kind in mmap noreserve shared shared-noreserve brk malloc mprotect mprotect-noreserve \
	again mremap mremap-noreserve dontunmap memfd segment 32bit old-32bit; do
	between "$kind is refused at the limit" 62 64 "$(within a "$hog" $kind)" 12
done
is "what was freed does not count" "5000 0" "$(within a "$hog" pair 5000)"
is "outside of the group nothing is refused" "400 0" "$("$hog" mmap)"
between "forks are refused" 2 2 "$(within a "$hog" fork 20 20480)" 12

keep one a "$hog" hold 40
between "three processes share a limit" 18 23 "$(within a "$hog" mmap)" 12
keep two a "$hog" hold 15
between "three processes share a limit, and there are two" 4 8 \
	"$(within a "$hog" mmap)" 12
let_go one
between "who ends lets others in" 44 48 "$(within a "$hog" mmap)" 12
let_go two

keep crowd a "$hog" crowd 4 64
granted=$(cat /tmp/t/crowd)
in_use=$(used a)
[ "$in_use" -le 67108864 ] && [ "$in_use" -gt $((67108864 - 65536)) ] &&
	in_use=exact
is "four who fill up together end at the limit" exact "$in_use"
[ "${granted% *}" -gt 900 ] && granted=many
is "and most of it is theirs" many "$granted"
let_go crowd

is "programs are executed at the limit" "64 12" \
	"$(within a "$hog" exec 100 1022 | sed 's/^6[2-4] /64 /')"

is "io_uring works at the limit" "64 12" \
	"$(within a "$hog" uring 100 1022 | sed 's/^6[2-4] /64 /')"

# let_through GROUP: bytes.
let_through() {
	limit --json | tr -d '\n ' | tr '{' '\n' | grep "\"$groups/$1\"" |
		sed 's/.*"let_through":\([0-9]*\).*/\1/'
}

# sample GROUP: what the kernel says of all its processes at one time, and the list.
sample() {
	local sum
	echo 1 >"$groups/$1/cgroup.freeze"
	until grep -q 'frozen 1' "$groups/$1/cgroup.events"; do :; done
	sum=$(while read -r pid; do cut -d' ' -f6 "/proc/$pid/statm"; done \
		<"$groups/$1/cgroup.procs" 2>/dev/null | awk '{ n += $1 } END { print n * 4096 }')
	echo "$sum $(used "$1")"
	echo 0 >"$groups/$1/cgroup.freeze"
}

# storm TURNS MOST SIZE...: these limits in turn, of which MOST is the highest. Nobody is
# let through meanwhile, so the sum is at no time above it.
storm() {
	local turns="$1" most="$2" sum listed forced highest=0 unlike=0
	shift 2
	limit --cgroup=$groups/a "$1"
	keep storm a "$hog" storm 6
	forced=$(let_through a)
	while [ $((turns -= 1)) -ge 0 ]; do
		for size; do
			[ $# -eq 1 ] || limit --cgroup=$groups/a "$size"
			sample a >/tmp/t/sample
			read -r sum listed </tmp/t/sample
			[ "$sum" -le "$highest" ] || highest=$sum
			[ "$sum" = "$listed" ] || unlike=$((unlike + 1))
		done
	done
	is "nobody is let through in a storm" "$forced" "$(let_through a)"
	let_go storm
	echo "# storm: at most $highest of $most bytes"
	between "a storm is limited, and comes near its limit" $((most * 95 / 100)) "$most" \
		"$highest 0" 0
	is "and the list says what the processes have" 0 $unlike
}

storm 12 33554432 32M
storm 4 33554432 32M 24M
is "a limit is set again" "" "$(limit --cgroup=$groups/a 64M)"

mkdir $groups/a/child
between "a group below it has its limit" 62 64 "$(within a/child "$hog" mmap)" 12
is "a limit in a limit" "" "$(limit --cgroup=$groups/a/child 32M)"
between "the inner one" 30 32 "$(within a/child "$hog" mmap)" 12
keep inner a/child "$hog" hold 25
between "the outer one counts the inner one" 35 39 "$(within a "$hog" mmap)" 12
let_go inner
keep outer a "$hog" hold 50
between "the inner one counts for the outer one" 9 14 \
	"$(within a/child "$hog" mmap)" 12
let_go outer

keep joins . "$hog" hold 30
echo "$kept_joins" >$groups/a/cgroup.procs
between "who joins brings its memory" 28 33 "$(within a "$hog" mmap)" 12
echo "$kept_joins" >$groups/cgroup.procs
between "who leaves takes it" 62 64 "$(within a "$hog" mmap)" 12
let_go joins

mkdir $groups/b
keep before b "$hog" hold 30
is "a limit of a group that has processes" "" "$(limit --cgroup=$groups/b 64M)"
between "they count" 28 33 "$(within b "$hog" mmap)" 12
is "a limit below what is in use" "" "$(limit --cgroup=$groups/b 16M)"
is "refuses" 0 "$(within b "$hog" mmap 2>/dev/null | grep -c ' 0$')"
is "and who has it lives" "30 0" "$(cat /tmp/t/before)"
let_go before
is "a limit is raised" "" "$(limit --cgroup=$groups/b 128M)"
between "to what it says" 126 128 "$(within b "$hog" mmap)" 12
is "it is listed" "$groups/b" "$(limit | sed -n "s|.* \($groups/b\)$|\1|p")"
is "a limit is taken away" "" "$(limit --cgroup=$groups/b none)"
is "and nothing is refused" "400 0" "$(within b "$hog" mmap)"
is "one that is not there cannot be" \
	"vmspace limit: $groups/b: it has no limit" "$(limit --cgroup=$groups/b none)"

is "a limit is set anew by its path" "$groups/b: 96M instead of 64M; 0 in use" \
	"$(limit --cgroup=$groups/b 64M; limit --set=96M $groups/b)"
is "in the other order, too" "$groups/b: 80M instead of 96M; 0 in use" \
	"$(limit --set $groups/b 80M)"
between "and is in force" 78 80 "$(within b "$hog" mmap)" 12
has "as JSON" '"limit": 100663296' "$(limit --json --set=96M $groups/b | tr -d '\n')"
limit --follow $groups/b >/tmp/t/followed & follows=$!
until [ -s /tmp/t/followed ]; do sleep 0.05; done
keep filler b "$hog" hold 95
until grep -q '^9[0-9].*M of 96M' /tmp/t/followed; do sleep 0.05; done
let_go filler
is "a follower is told of no limit any more" "" "$(limit --cgroup=$groups/b none)"
wait $follows
is "and ends" 0 $?
has "one without a limit is not followed" "it has no limit" "$(limit --follow $groups/b)"
has "nor set" "it has no limit" "$(limit --set=1G $groups/b)"
is "the size may come first" "" "$(limit 64M --cgroup=$groups/b)"
is "and again" "" "$(limit --cgroup=$groups/b none)"

mkdir $groups/c $groups/d
limit --cgroup=$groups/c 32M >/tmp/t/c & one=$!
limit --cgroup=$groups/d 48M >/tmp/t/d & two=$!
wait $one $two
is "two at once" "" "$(cat /tmp/t/c /tmp/t/d)"
between "one of them" 30 32 "$(within c "$hog" mmap)" 12
between "the other" 46 48 "$(within d "$hog" mmap)" 12
rmdir $groups/c
is "a group that is removed has no limit" 0 "$(limit | grep -c "$groups/c\|(")"

between "--backend=bpf" 22 24 "$(limit --backend=bpf 24M "$hog" mmap)" 12
is "its group goes with it" 0 "$(limit | grep -c vmspace-)"
"$vmspace" limit --backend=bpf 24M sh -c 'exit 7'
is "its exit status is the program's" 7 $?
is "a program that is not there" 127 \
	"$("$vmspace" limit --backend=bpf 24M no-such-program 2>/dev/null; echo $?)"

limit --cgroup=$groups/d 1G
keep full d "$hog" memfd 65000 4
case $(cat /tmp/t/full) in
6[01]*" 12") full=refused ;;
*) full=$(cat /tmp/t/full) ;;
esac
is "a full account refuses" refused "$full"
let_go full
between "and has room again" 300 300 "$(within d "$hog" mmap 300)" 0

has "who is not root is told" "it takes root" \
	"$(su nobody -c "$vmspace limit --cgroup=$groups/a 1G" 2>&1)"
has "a directory that is no control group" "directory of cgroup v2: it is not" \
	"$(limit --cgroup=/tmp 1G)"
has "a directory that is not there" "No such file" "$(limit --cgroup=/tmp/none 1G)"
rm $pins/vms_count
has "pins that are not whole are told" "another version's" \
	"$(limit --cgroup=$groups/a 1G)"
has "by the list, too" "another version's" "$(limit)"
between "and go on" 62 64 "$(within a "$hog" mmap)" 12
rm -r $pins
# The kernel detaches them when it has time.
tries=200
until free=$(within a "$hog" mmap) && [ "$free" = "400 0" ] || [ $tries = 0 ]; do
	tries=$((tries - 1))
done
is "without pins nothing is refused" "400 0" "$free"
mkdir "$pins-new"
is "what a killed command has left is in nobody's way" "" \
	"$(limit --cgroup=$groups/a 64M)"
between "nor in the limit's" 62 64 "$(within a "$hog" mmap)" 12
is "a limit is taken away again" "" "$(limit --cgroup=$groups/a none)"
is "and with the last one all pins" vmspace-lock "$(ls /sys/fs/bpf)"
mkdir $pins
chmod 777 $pins
has "pins of others are told" "not of this command" "$(limit --cgroup=$groups/a 1G)"
rmdir $pins
# What a mapping that is made and unmapped costs, of the least of two rounds, in an
# emulated machine: a hint.
least() { [ "$1" -le "${2:-$1}" ] && echo "$1" || echo "$2"; }
bare='' inside='' outside=''
for _ in 1 2; do
	until [ "$(within a "$hog" mmap)" = "400 0" ]; do :; done
	bare=$(least "$(within a "$hog" cost-pair 20000)" "$bare")
	limit --cgroup=$groups/a 64M
	inside=$(least "$(within a "$hog" cost-pair 20000)" "$inside")
	outside=$(least "$("$hog" cost-pair 20000)" "$outside")
	limit --cgroup=$groups/a none
done
echo "# a pair of mmap and munmap: $bare ns bare, $((inside * 100 / bare)) percent of it" \
	"in a limited group, $((outside * 100 / bare)) beside one"

umount /sys/fs/bpf
has "without a file system of BPF it is told" "file system of BPF: it is not" \
	"$(limit --cgroup=$groups/a 1G)"
echo "1..$cases"
