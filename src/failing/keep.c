/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing/parts.h"

/*
 * A branch has its own memory, but descriptors share their positions with the trunk, and
 * some things a process has alone. Here the trunk finds out whether a branch could do
 * more to it than can be put back. Nothing here allocates or uses stdio.
 */

/* --- descriptors -------------------------------------------------------------------- */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Descriptors from 3 on that the command was given, as a pipe of make's job server. All
 * trials have had them together, and a branch does to them what any other trial does.
 */
static struct {
	struct {
		int file;
		struct stat status;
	} list[VMSI_FAILING_KEPT];
	unsigned count;
} inherited;

static bool is_inherited(int file, const struct stat *status)
{
	for (unsigned i = 0; i < inherited.count; i++)
		if (inherited.list[i].file == file)
			return is_same(&inherited.list[i].status, status);
	return false;
}

/* /dev/null, /dev/zero, /dev/urandom and their like have no position that counts. */
static bool is_memory_device(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && major(status->st_rdev) == 1;
}

/*
 * Keep the position of a file. The output may be written, since its length is put back,
 * too; what would be written to another file stays there.
 */
static bool keep_file(struct vmsi_failing_kept *kept, int file,
		      const struct stat *status, const struct stat *output)
{
	const int flags = fcntl(file, F_GETFL);

	if (flags < 0 || kept->count == VMSI_FAILING_KEPT)
		return false;
	if (S_ISREG(status->st_mode) && is_same(status, output)) {
		kept->output = file;
		kept->length = status->st_size;
	} else if ((flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH) &&
		   !is_inherited(file, status)) {
		return false;
	}
	kept->files[kept->count].file = file;
	/* A descriptor of O_PATH has none. */
	kept->files[kept->count++].position = lseek(file, 0, SEEK_CUR);
	return true;
}

static bool keep_descriptor(struct vmsi_failing_kept *kept, int file,
			    const struct stat *output)
{
	struct stat status;

	if (fstat(file, &status))
		return false;
	if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
		return keep_file(kept, file, &status, output);
	return is_memory_device(&status) || is_inherited(file, &status);
}

static bool inherit(struct vmsi_failing_kept *kept, int file,
		    const struct stat *output)
{
	const unsigned i = inherited.count;

	(void)kept, (void)output;
	if (file <= STDERR_FILENO)
		return true;
	if (i == VMSI_FAILING_KEPT || fstat(file, &inherited.list[i].status))
		return false;
	inherited.list[i].file = file;
	inherited.count++;
	return true;
}

/* What is done with each descriptor. Returns whether to go on. */
typedef bool visit(struct vmsi_failing_kept *kept, int file,
		   const struct stat *output);

/* An entry of a directory, as the kernel gives it. */
struct entry {
	uint64_t inode;
	int64_t next;
	unsigned short length;
	unsigned char type;
	char name[];
};

static bool visit_entries(visit *visit_one, struct vmsi_failing_kept *kept,
			  int directory, int socket, const struct stat *output)
{
	_Alignas(8) char entries[1024];
	long got;

	while ((got = syscall(SYS_getdents64, directory, entries,
			      sizeof entries)) > 0)
		for (long at = 0; at < got;) {
			const struct entry *entry =
				(const void *)(entries + at);
			const int file = (int)strtol(entry->name, NULL, 10);

			at += entry->length;
			if (entry->name[0] != '.' && file != directory &&
			    file != socket &&
			    !visit_one(kept, file, output))
				return false;
		}
	return got == 0;
}

static bool visit_descriptors(visit *visit_one, struct vmsi_failing_kept *kept,
			      int socket, const struct stat *output)
{
	const int directory = open("/proc/self/fd",
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool can;

	if (directory < 0)
		return false;
	can = visit_entries(visit_one, kept, directory, socket, output);
	close(directory);
	return can;
}

/* --- mappings ------------------------------------------------------------------------ */

/* "START-END rw-s ...": whether it is shared, may be written, and is not that at but. */
static bool is_shared(const char *line, uintptr_t but)
{
	char *rest;
	const uintptr_t start = strtoull(line, &rest, 16);
	const char *rights = strchr(rest, ' ');

	return rights && strlen(rights) > 4 && rights[2] == 'w' &&
		rights[4] == 's' && start != but;
}

/* The beginning of a line is enough. */
struct line {
	char text[64];
	size_t length;
};

/* Returns whether the character has ended a line, which then is text. */
static bool add(struct line *line, char character)
{
	if (character == '\n') {
		line->text[line->length] = '\0';
		line->length = 0;
		return true;
	}
	if (line->length < sizeof line->text - 1)
		line->text[line->length++] = character;
	return false;
}

static bool has_shared_mappings(const void *but)
{
	const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct line line = { .length = 0 };
	char text[4096];
	ssize_t got = -1;
	bool found = false;

	while (maps >= 0 && !found && (got = read(maps, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < got && !found; i++)
			found = add(&line, text[i]) &&
				is_shared(line.text, (uintptr_t)but);
	if (maps >= 0)
		close(maps);
	return found || got != 0;
}

/* --- all of it ----------------------------------------------------------------------- */

/* A branch would have neither the other threads nor the children. */
static bool is_alone(void)
{
	siginfo_t change;

	return __libc_single_threaded &&
		waitid(P_ALL, 0, &change, WEXITED | WNOHANG | WNOWAIT) &&
		errno == ECHILD;
}

bool vmsi_failing_inherit(int socket)
{
	inherited.count = 0;
	return visit_descriptors(inherit, NULL, socket, NULL);
}

bool vmsi_failing_keep(struct vmsi_failing_kept *kept, const void *memory,
		       int socket, const struct stat *output)
{
	kept->count = 0;
	kept->output = -1;
	return is_alone() && visit_descriptors(keep_descriptor, kept, socket,
						output) &&
		!has_shared_mappings(memory);
}

void vmsi_failing_put_back(const struct vmsi_failing_kept *kept)
{
	if (kept->output >= 0)
		(void)!ftruncate(kept->output, kept->length);
	for (unsigned i = 0; i < kept->count; i++)
		if (kept->files[i].position >= 0)
			(void)lseek(kept->files[i].file,
				    kept->files[i].position, SEEK_SET);
}
