#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Install into an empty directory, look at what is there, and build programs
# against it as a user would: with pkg-config, shared and static, C and C++.
#
# usage: install.sh BUILD PREFIX LIBDIR VERSION
set -u

[ $# -eq 4 ] || exit 2
build=$1 prefix=$2 libdir=$3 version=$4
here=$(cd "$(dirname "$0")" && pwd)
headers=$here/../../include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
lib=$tree$prefix/$libdir
cases=0

# The name of a case, and a command that must succeed.
tap_case() {
	local name=$1 output
	shift
	cases=$((cases + 1))
	if output=$("$@" 2>&1); then
		echo "ok $cases - $name"
	else
		echo "not ok $cases - $name"
		printf '# %s\n' "$*" "${output//$'\n'/$'\n'# }"
	fi
}

has_soname() {
	objdump -p "$lib/libvmspace.so.$version" |
		grep -q 'SONAME *libvmspace\.so\.0$'
}

# Their signal handlers make calls that nothing may have made before.
binds_at_once() {
	readelf -d "$1" | grep -q 'FLAGS.*NOW'
}

# What this pkg-config says is the installed tree's; of the libraries that vmspace needs
# it is the machine's.
config() {
	PKG_CONFIG_LIBDIR=$lib/pkgconfig:$(pkg-config --variable pc_path pkg-config) \
		PKG_CONFIG_SYSROOT_DIR=$tree pkg-config "$@" vmspace
}

# The libraries that the archive needs besides.
others() {
	config --libs --static | tr ' ' '\n' | grep -v vmspace
}

has_version() {
	[ "$(config --modversion)" = "$version" ]
}

# usage: build_and_run OUTPUT COMPILER...
# The link flags follow the source, as a static archive wants it.
build_and_run() {
	local program=$work/$1 flags
	shift
	flags=$(config --cflags --libs) || return 1
	# shellcheck disable=SC2086 # a list of words
	"$@" -o "$program" $flags || return 1
	[ "$(LD_LIBRARY_PATH=$lib "$program")" = "$version" ]
}

build_static() {
	local program=$work/static
	# shellcheck disable=SC2046 # a list of words
	gcc -o "$program" "$here/consumer.c" $(config --cflags) \
		"$lib/libvmspace.a" $(others) || return 1
	! readelf -d "$program" | grep -q 'libvmspace\.so' || return 1
	[ "$("$program")" = "$version" ]
}

# As the loader itself finds the libraries, in a prefix that it does not search.
finds_its_libraries() {
	local found
	found=$(env -u LD_LIBRARY_PATH ldd "$1") || return 1
	echo "$found"
	! echo "$found" | grep 'libvmspace' | grep -qvF "=> $tree$prefix/" &&
		echo "$found" | grep -q 'libvmspace'
}

# In a build without groups the command is linked with the core alone.
command_finds_its_libraries() {
	[ -e "$lib/libvmspace-group.so" ] || return 0
	finds_its_libraries "$tree$prefix/bin/vmspace" &&
		finds_its_libraries "$lib/libvmspace-group.so" &&
		env -u LD_LIBRARY_PATH "$tree$prefix/bin/vmspace" --version
}

# What completes the command's arguments is where each shell looks.
completions='bash-completion/completions/vmspace\.bash'
completions+='|zsh/site-functions/_vmspace|fish/vendor_completions\.d/vmspace\.fish'
completions_installed() {
	[ "$(cd "$tree$prefix/share" && find . -type f |
		grep -cE "^\./($completions)\$")" -eq 3 ]
}

# Nothing is installed where nobody looks for it.
only_known_places() {
	local stray
	stray=$(cd "$tree$prefix" && find . -type f -o -type l |
		grep -Ev "^\./(include/vmspace(/[a-z_]+)?\.h|bin/vmspace|$libdir/libvmspace(-group)?\.(a|so[.0-9]*)|$libdir/libvmspace-(heap|failing)\.so|$libdir/pkgconfig/vmspace(-group)?\.pc|share/doc/vmspace/[a-z-]+\.md|share/man/man[1-7]/(vms|vmspace)[-_a-z0-9]*\.[1-7]|share/($completions))$")
	[ -z "$stray" ] || { echo "$stray"; return 1; }
}

# An alias without its target would show nothing.
pages_installed() {
	local page section target
	for page in "$here"/../../docs/man/*.[1-9]; do
		section=man${page##*.}
		[ -e "$tree$prefix/share/man/$section/${page##*/}" ] ||
			{ echo "${page##*/} is not installed"; return 1; }
		target=$(sed -n 's/^\.so //p' "$page")
		[ -z "$target" ] || [ -e "$tree$prefix/share/man/$target" ] ||
			{ echo "${page##*/} points to no page"; return 1; }
	done
}

# What an installed file refers to is installed.
documents_installed() {
	local name names
	mapfile -t names < <(grep -rhoE '[a-z-]+\.md\b' "$headers" \
		"$headers/../docs/man" | sort -u)
	for name in "${names[@]}"; do
		[ -e "$tree$prefix/share/doc/vmspace/$name" ] ||
			{ echo "$name is not installed"; return 1; }
	done
}

tap_case 'meson install' \
	env DESTDIR="$tree" meson install -C "$build" --no-rebuild --quiet
tap_case 'nothing is in an unknown place' only_known_places
for file in "libvmspace.so.$version" libvmspace.so.0 libvmspace.so \
	libvmspace.a pkgconfig/vmspace.pc; do
	tap_case "$file is installed" test -e "$lib/$file"
done
tap_case 'the command is installed' test -x "$tree$prefix/bin/vmspace"
tap_case 'the command finds its libraries' command_finds_its_libraries
tap_case 'every man page is installed' pages_installed
tap_case 'the completion of three shells is installed' completions_installed
tap_case 'every document that is named is installed' documents_installed
tap_case 'the SONAME is libvmspace.so.0' has_soname
for library in "libvmspace.so.$version" libvmspace-heap.so; do
	tap_case "$library is bound as it is loaded" binds_at_once "$lib/$library"
done
tap_case 'pkg-config knows the version' has_version
# Which the test headers compiles, each alone.
tap_case 'the headers are those of the source tree' \
	diff -r "$headers" "$tree$prefix/include" -x meson.build
strict=(-Wall -Wextra -Wpedantic -Werror)
for compiler in gcc clang; do
	tap_case "a C program runs, built by $compiler" build_and_run \
		"$compiler" "$compiler" -std=gnu11 "${strict[@]}" "$here/consumer.c"
done
tap_case 'a C program runs, linked with the archive' build_static
for compiler in g++ clang++; do
	tap_case "a C++ program runs, built by $compiler" build_and_run \
		"$compiler" "$compiler" -std=c++11 "${strict[@]}" \
		"$here/consumer.cc"
done
echo "1..$cases"
