/* SPDX-License-Identifier: MIT */
#include "cli/sight/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/memfds.h"

static const enum vmsi_owner_kind kinds[VMSI_SIGN_KINDS] = {
	[VMSI_SIGN_SPACE] = VMSI_OWNER_SPACE,
	[VMSI_SIGN_BUFFERS] = VMSI_OWNER_BUFFERS,
	[VMSI_SIGN_HEAP] = VMSI_OWNER_VMSPACE_HEAP,
	[VMSI_SIGN_FILE] = VMSI_OWNER_VMSPACE_FILE,
	[VMSI_SIGN_SHARE] = VMSI_OWNER_SHARE,
	[VMSI_SIGN_RING] = VMSI_OWNER_RING,
	[VMSI_SIGN_STACKS] = VMSI_OWNER_STACKS,
	[VMSI_SIGN_CODE] = VMSI_OWNER_CODE,
	[VMSI_SIGN_POOL] = VMSI_OWNER_POOL,
};

/* --- signs ---------------------------------------------------------------- */

/*
 * What is copied by one read(2) is in no order. A sign whose sequence is the same
 * before and after the second read was not written while that was made.
 */
static bool is_whole(const struct vmsi_sign *const reads[3], size_t i)
{
	const uint32_t sequence = reads[0][i].sequence;

	return sequence % 2 == 0 && sequence == reads[1][i].sequence &&
		sequence == reads[2][i].sequence;
}

static bool is_good(const struct vmsi_sign *sign)
{
	return sign->kind > VMSI_SIGN_FREE && sign->kind < VMSI_SIGN_KINDS &&
		sign->start < sign->end;
}

static void take_sign(struct vmsi_named *named, const struct vmsi_sign *sign)
{
	named->kind = kinds[sign->kind];
	named->start = sign->start;
	named->end = sign->end;
	if (sign->name[0])
		snprintf(named->text, sizeof(named->text), "%.*s",
			 VMSI_SIGN_NAME_MAX, sign->name);
	else
		snprintf(named->text, sizeof(named->text), "0x%" PRIx64,
			 named->start);
}

/* Those outside come before those within them. */
static int compare(const void *left, const void *right)
{
	const struct vmsi_named *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end == b->end ? 0 : a->end > b->end ? -1 : 1;
}

/* --- parts ---------------------------------------------------------------- */

/*
 * Those that lie around an address, the innermost last:
 *
 *   |---------- a ----------|        parts: a b c b a
 *       |---- b ----|
 *          |- c -|
 *
 * One that reaches out of another is cut off at its end.
 */
struct nest {
	struct vmsi_names *names;
	const struct vmsi_named **within;
	uint64_t *ends;
	size_t depth;
	uint64_t at; /* up to here there are parts */
};

/* The innermost has what lies up to an address. */
static void go_to(struct nest *nest, uint64_t address)
{
	struct vmsi_names *const names = nest->names;

	if (nest->at < address)
		names->parts[names->part_count++] = (struct vmsi_named_part){
			nest->at, address, nest->within[nest->depth - 1],
		};
	nest->at = address;
}

static void leave_before(struct nest *nest, uint64_t address)
{
	while (nest->depth > 0 && nest->ends[nest->depth - 1] <= address) {
		go_to(nest, nest->ends[nest->depth - 1]);
		nest->depth--;
	}
}

static void go_into(struct nest *nest, const struct vmsi_named *named)
{
	uint64_t end = named->end;

	leave_before(nest, named->start);
	if (nest->depth > 0) {
		go_to(nest, named->start);
		if (nest->ends[nest->depth - 1] < end)
			end = nest->ends[nest->depth - 1];
	}
	nest->at = named->start;
	nest->within[nest->depth] = named;
	nest->ends[nest->depth++] = end;
}

static int make_parts(struct vmsi_names *names)
{
	const size_t count = names->count;
	struct nest nest = {
		.names = names,
		.within = calloc(count, sizeof(*nest.within)),
		.ends = calloc(count, sizeof(*nest.ends)),
	};

	/* Each begins a part, and each end begins one. */
	names->parts = calloc(2 * count, sizeof(*names->parts));
	if (nest.within && nest.ends && names->parts) {
		for (size_t i = 0; i < count; i++)
			go_into(&nest, &names->list[i]);
		leave_before(&nest, UINT64_MAX);
	}
	free(nest.within);
	free(nest.ends);
	/* Only without memory has none a part. */
	return names->part_count ? 0 : -ENOMEM;
}

static void free_names(struct vmsi_names *names)
{
	free(names->list);
	free(names->parts);
	*names = (struct vmsi_names){ 0 };
}

int vmsi_names_of_signs(struct vmsi_names *names, const struct vmsi_sign *const reads[3],
		    size_t count)
{
	int error = 0;

	names->list = calloc(count + 1, sizeof(*names->list));
	if (!names->list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (is_whole(reads, i) && is_good(&reads[1][i]))
			take_sign(&names->list[names->count++], &reads[1][i]);
	qsort(names->list, names->count, sizeof(*names->list), compare);
	if (names->count)
		error = make_parts(names);
	if (error)
		free_names(names);
	return error;
}

/* --- the table ------------------------------------------------------------ */

static bool read_all(int fd, void *bytes, size_t length, uint64_t offset)
{
	return pread(fd, bytes, length, (off_t)offset) == (ssize_t)length;
}

/* How many signs there are to read; 0: none, or it is no table that we know. */
static size_t signs_of(int fd, const struct stat *status)
{
	struct vmsi_sign_head head;

	if (status->st_size != (off_t)VMSI_SIGNS_BYTES ||
	    !read_all(fd, &head, sizeof(head), 0) ||
	    head.magic != VMSI_SIGNS_MAGIC ||
	    head.version != VMSI_SIGNS_VERSION ||
	    head.sign_bytes != VMSI_SIGN_BYTES || head.capacity != VMSI_SIGNS)
		return 0;
	return head.used < VMSI_SIGNS ? head.used : VMSI_SIGNS;
}

static int read_signs(struct vmsi_names *names, int fd, size_t count)
{
	struct vmsi_sign *const all = calloc(3 * count, sizeof(*all));
	const struct vmsi_sign *const reads[3] = {
		all, all + count, all + 2 * count,
	};
	bool is_read = true;
	int error = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < 3 && is_read; i++)
		is_read = read_all(fd, all + i * count, count * sizeof(*all),
				   sizeof(struct vmsi_sign_head));
	if (is_read)
		error = vmsi_names_of_signs(names, reads, count);
	free(all);
	return error;
}

static bool is_known(const struct vmsi_tables *tables, const struct stat *status)
{
	for (size_t i = 0; i < tables->count; i++)
		if (tables->tables[i].device == status->st_dev &&
		    tables->tables[i].inode == status->st_ino)
			return true;
	return false;
}

static int look_at_table(void *context, const struct stat *status, int fd)
{
	struct vmsi_tables *tables = context;
	struct vmsi_names *names = &tables->tables[tables->count];
	size_t count;

	if (fd < 0 || tables->count == VMSI_TABLES || is_known(tables, status))
		return 0;
	count = signs_of(fd, status);
	if (!count)
		return 0;
	names->device = status->st_dev;
	names->inode = status->st_ino;
	tables->count++;
	return read_signs(names, fd, count);
}

int vmsi_tables_read(struct vmsi_tables *tables, pid_t pid)
{
	struct vmsi_memfds memfds = {
		.link = vmsi_memfd_link(VMSI_SIGNS_FD_NAME),
		.seen = look_at_table,
		.context = tables,
	};
	int error;

	*tables = (struct vmsi_tables){ .count = 0 };
	error = vmsi_memfd_device(&memfds.device);
	if (!error)
		error = vmsi_memfds_look(&memfds, pid);
	/* Whoever may not look, or comes too late, reads the mappings all the same. */
	return error == -ENOMEM ? error : 0;
}

void vmsi_tables_free(struct vmsi_tables *tables)
{
	for (size_t i = 0; i < tables->count; i++)
		free_names(&tables->tables[i]);
	tables->count = 0;
}
