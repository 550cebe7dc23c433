#!/bin/sh
# SPDX-License-Identifier: MIT
# Run a test program as an ordinary user, where root runs the tests. Who is no root runs
# it as it is. The program and its files are in a directory that this user can reach.
#
# usage: as_nobody.sh PROGRAM [ARGUMENT...]
set -eu

program=$1
shift
if [ "$(id -u)" != 0 ]; then
	exec "$program" "$@"
fi
if ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
	echo "1..0 # SKIP setpriv cannot change the user"
	exit 0
fi
directory=$(mktemp -d /tmp/vmspace-nobody-XXXXXX)
trap 'rm -rf "$directory"' EXIT
cp "$program" "$directory/program"
mkdir "$directory/files"
chown 65534:65534 "$directory/files"
chmod 755 "$directory" "$directory/program"
cd "$directory/files"
TMPDIR=$directory/files setpriv --reuid=65534 --regid=65534 --clear-groups \
	--inh-caps=-all --bounding-set=-all --no-new-privs "$directory/program" "$@"
