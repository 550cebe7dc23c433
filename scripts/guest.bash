# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# What scripts/old-kernel and scripts/bpf-check share: an emulated machine, its
# initramfs, and the reading of what it says. They set $scratch, $longest_run,
# $longest_start and $memory, and are in the root of the project.

die() {
	echo "error: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}

# The newest kernel that this machine's Debian has, for virtual machines.
fetch_kernel() {
	local package
	mkdir -p "$scratch/kernel"
	package=$(apt-cache depends linux-image-cloud-amd64 |
		awk '/Depends: linux-image-/ { print $2; exit }')
	[ -n "$package" ] || return 1
	kernel=$scratch/kernel/boot/vmlinuz-${package#linux-image-}
	[ ! -e "$kernel" ] || return 0
	(cd "$scratch" && apt-get -q download "$package") || return 1
	dpkg-deb -x "$scratch/$package"_*.deb "$scratch/kernel"
	rm "$scratch/$package"_*.deb
}

# A file, in the guest's tree where it is on this machine, and the libraries
# that the dynamic linker would load for it.
stage() {
	local file
	for file; do
		[ ! -e "$root/$file" ] || continue
		mkdir -p "$root/$(dirname "$file")"
		cp -a "$(realpath "$file")" "$root/$file"
	done
}

# A list of libraries from ldd; what is no dynamic program has none.
libraries_of() {
	ldd "$@" 2>/dev/null | awk '
		$2 == "=>" && $3 ~ /^\// { print $3 }
		$1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u
}

# What each guest has: busybox and the first program, which runs what is in
# /etc/tests: lines of "suite<TAB>name<TAB>protocol<TAB>seconds<TAB>command".
make_root() {
	root=$scratch/root
	rm -rf "$root"
	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,tmp,var/tmp,etc} \
		"$root/$PWD"
	chmod 1777 "$root"/{tmp,var/tmp}
	cp scripts/old-kernel-init "$root/init"
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	stage /bin/busybox
	ln -sf /bin/busybox "$root/bin/sh"
}

pack_root() {
	(cd "$root" && find . -print0 | cpio --quiet -0 -o -H newc) |
		gzip -1 >"$scratch/initramfs"
}

# In place of this shell, so that it can be ended by its process id.
boot() {
	# shellcheck disable=SC2206 # words
	local settings=(${VMS_SYSCTL-})
	exec timeout -k 5 "$longest_run" qemu-system-x86_64 -machine q35,accel=tcg \
		-cpu max,la57=off -m "$memory" -smp 2 -nographic -no-reboot \
		-nic none -kernel "$kernel" -initrd "$scratch/initramfs" \
		-append "console=ttyS0,115200 quiet panic=-1 ${settings[*]/#/sysctl.}" \
		</dev/null 2>&1
}

end_machine() {
	[ -z "$machine" ] || kill "$machine" 2>/dev/null || true
	[ -z "$machine" ] || wait "$machine" || true
	machine=''
}
trap end_machine EXIT

# Boot and read all that the guest says; fails where it never came up.
run_guest() {
	local line patience=$longest_start
	rm -f "$scratch/console"
	mkfifo "$scratch/console"
	: >"$scratch/console.log"
	boot >"$scratch/console" &
	machine=$!
	while IFS= read -r -t "$patience" line; do
		printf '%s\n' "$line" >>"$scratch/console.log"
		read_line "${line%$'\r'}"
		[ $started = no ] || patience=$longest_run
	done <"$scratch/console"
	end_machine
	[ $started = yes ]
}

# One case of the result.
pass() { passed=$((passed + 1)); echo "ok $((++cases)) - $*"; }
fail() { failed=$((failed + 1)); failures+=("$*"); echo "not ok $((++cases)) - $*"; }
skip() { skipped=$((skipped + 1)); echo "ok $((++cases)) - $*"; }

# A program that ended: it counts as a failed case where it told of none.
end_program() {
	local status=$1
	if [ "$status" -ne 0 ] && [ "$told_failed" -eq 0 ]; then
		fail "$name: exit status $status"
	elif [ "$protocol" != tap ]; then
		[ "$status" -ne 0 ] || pass "$name"
	elif [ "$told" -eq 0 ]; then
		fail "$name: ran no case"
	fi
}

# One line of the guest's console.
read_line() {
	local line=$1
	case $line in
	*'@@@ kernel '*)
		started=yes
		echo "# kernel ${line#*@@@ kernel }"
		;;
	'@@@ begin '*)
		name=${line#@@@ begin * } protocol=${line#@@@ begin }
		protocol=${protocol%% *} told=0 told_failed=0
		echo "# $name"
		;;
	'@@@ exit '*) end_program "${line##* }" ;;
	'@@@ end') ended=yes ;;
	# cmocka says "not ok" of what it skips.
	*'ok '*'# '[Ss][Kk][Ii][Pp]*)
		told=$((told + 1))
		skip "$name: ${line#*ok }"
		;;
	'not ok '*)
		told=$((told + 1)) told_failed=$((told_failed + 1))
		fail "$name: ${line#not ok }"
		;;
	'ok '*)
		told=$((told + 1))
		pass "$name: ${line#ok }"
		;;
	1..0*'# '[Ss][Kk][Ii][Pp]*)
		told=$((told + 1))
		skip "$name: ${line}"
		;;
	[0-9]*..[0-9]* | '') ;;
	'#'*) echo "$line" ;;
	# Before the first program it is the boot loader that speaks.
	*) [ -z "$name" ] || echo "# $line" ;;
	esac
}

passed=0 failed=0 skipped=0 cases=0 told=0 told_failed=0
name='' protocol='' machine='' started=no ended=no failures=()

# Set the kernel: the caller's, or Debian's.
choose_kernel() {
	[ "$(uname -m)" = x86_64 ] || die "the machine that is emulated is an x86-64"
	mkdir -p "$scratch"
	if [ -n "${VMS_KERNEL-}" ]; then
		kernel=$VMS_KERNEL
	else
		fetch_kernel >"$scratch/kernel.log" 2>&1 ||
			die "no kernel; see $scratch/kernel.log"
	fi
}

# Run the guest, and end with the result.
run_and_tell() {
	# An emulated machine with two processors may hang before its kernel runs.
	run_guest || run_guest || run_guest || true
	[ $ended = yes ] || fail "the guest did not come to the end of its list"

	[ ${#failures[@]} -eq 0 ] || printf '# failed: %s\n' "${failures[@]}"
	echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
	[ $failed -eq 0 ] && [ $passed -gt 0 ]
}
