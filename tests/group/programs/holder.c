/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * usage: holder DESCRIPTOR STEP[=MEBIBYTES]...
 *
 * What it holds is looked at while it holds it. The test puts the file of
 * HOLDER_GO_ON there when it has seen enough, and the step takes it away.
 */

#define MIB ((size_t)1 << 20)

static void *last;
static size_t last_bytes;

static int map(size_t bytes, int kind)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    kind | MAP_ANONYMOUS, -1, 0);

	if (mapped == MAP_FAILED)
		return errno;
	last = mapped;
	last_bytes = bytes;
	return 0;
}

static int do_mmap(size_t bytes)
{
	return map(bytes, MAP_PRIVATE);
}

static int do_shared(size_t bytes)
{
	return map(bytes, MAP_SHARED);
}

static int do_unmap(size_t bytes)
{
	(void)bytes;
	return munmap(last, last_bytes) ? errno : 0;
}

/* The group looks at figures by itself while it may hold pages of files. */
static int do_file(size_t bytes)
{
	const int file = memfd_create("holder", MFD_CLOEXEC);
	void *mapped;

	if (file < 0 || ftruncate(file, (off_t)bytes))
		return errno;
	mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
	close(file);
	return mapped == MAP_FAILED ? errno : 0;
}

/* --- being looked at ------------------------------------------------------ */

/* Without a pause, so that the last call might still be under way. */
static int do_run_on(size_t bytes)
{
	const char *go_on = getenv("HOLDER_GO_ON");

	(void)bytes;
	say("run-on", "now");
	while (access(go_on, F_OK))
		continue;
	return unlink(go_on) ? errno : 0;
}

static int do_wait(size_t bytes)
{
	const char *go_on = getenv("HOLDER_GO_ON");

	(void)bytes;
	say("wait", "now");
	while (access(go_on, F_OK))
		usleep(1000);
	return unlink(go_on) ? errno : 0;
}

/* This process and its child hold as much, one after the other. */
static int do_in_turn(size_t bytes)
{
	int ends[2], error;
	char byte = 0;
	pid_t child;

	if (pipe(ends))
		return errno;
	child = fork();
	if (child == 0)
		_exit(read(ends[0], &byte, 1) == 1 ? do_mmap(bytes) : EIO);
	error = do_mmap(bytes);
	if (error == 0)
		error = do_wait(0);
	if (error == 0)
		error = do_unmap(0);
	if (error == 0 && write(ends[1], &byte, 1) != 1)
		error = errno;
	return error ? error : wait_for(child);
}

/* --- files in pieces ------------------------------------------------------ */

#define PIECE (2 * MIB)

/* Apart from each other, the last first; and what is mapped is touched. */
static int map_pieces(int file, size_t start, size_t end)
{
	for (size_t at = end; at > start; at -= PIECE) {
		void *piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, file, (off_t)(at - PIECE));

		if (piece == MAP_FAILED)
			return errno;
		memset(piece, 1, PIECE);
		/* What is between them keeps them apart. */
		if (mmap(NULL, PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0) == MAP_FAILED)
			return errno;
	}
	return 0;
}

static int make_file(size_t bytes)
{
	const int file = memfd_create("pieces", MFD_CLOEXEC);

	return file >= 0 && ftruncate(file, (off_t)bytes) ? -1 : file;
}

static int do_pieces(size_t bytes)
{
	const int file = make_file(bytes);

	return file < 0 ? errno : map_pieces(file, 0, bytes);
}

/* This process and its child have two thirds each, one of them both. */
static int do_thirds(size_t bytes)
{
	const int file = make_file(bytes);
	int error, ends[2], ready[2];
	char byte = 0;
	pid_t child;

	if (file < 0 || pipe(ends) || pipe(ready))
		return errno;
	child = fork();
	if (child == 0) {
		close(ends[1]);
		error = map_pieces(file, 0, bytes / 3 * 2);
		/* Until the other one has closed its end. */
		_exit(error || write(ready[1], &byte, 1) != 1 ||
		      read(ends[0], &byte, 1) != 0);
	}
	close(ready[1]);
	error = map_pieces(file, bytes / 3, bytes);
	if (error == 0 && read(ready[0], &byte, 1) != 1)
		error = EIO;
	if (error == 0)
		error = do_wait(0);
	close(ends[1]);
	return error ? error : wait_for(child);
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "mmap", do_mmap }, { "shared", do_shared },
		{ "unmap", do_unmap }, { "file", do_file },
		{ "run-on", do_run_on },
		{ "wait", do_wait }, { "in-turn", do_in_turn },
		{ "pieces", do_pieces }, { "thirds", do_thirds }, { NULL, NULL },
	};

	return take_steps(argc, argv, steps, MIB);
}
