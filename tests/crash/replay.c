/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/align.h"

#define SECTOR 512u

/* --- one operation, as far as chance has it --------------------------------------------- */

/* Of each hundred pieces so many are there; a disk is seldom in the middle. */
static unsigned choose_share(struct random *random)
{
	static const unsigned shares[] = { 0, 10, 50, 90, 100 };

	return shares[random_below(random, sizeof(shares) / sizeof(*shares))];
}

/* Bytes of a write, sector by sector; what lies past the size is not there. */
static void apply_write(struct memory_disk *disk, const struct operation *write,
			struct random *random, unsigned share)
{
	const uint64_t end = write->offset + write->length;
	static const uint8_t zeros[SECTOR];
	uint64_t size = disk->files[write->file].size;

	if (end > size && random_percent(random, share))
		memory_set_size(disk, write->file, size = end);
	for (uint64_t at = write->offset; at < end && at < size;) {
		uint64_t stop = vmsi_min((at / SECTOR + 1) * SECTOR,
					 vmsi_min(end, size));

		if (random_percent(random, share))
			memory_write(disk, write->file,
				     write->bytes ? write->bytes +
					     (at - write->offset) : zeros,
				     (size_t)(stop - at), at);
		at = stop;
	}
}

static void apply_attribute(struct memory_disk *disk,
			    const struct operation *operation)
{
	struct memory_file *file = &disk->files[operation->file];

	memcpy(file->attribute, operation->bytes, operation->length);
	file->attribute_length = operation->length;
}

static void apply(struct memory_disk *disk, const struct operation *operation,
		  struct random *random, unsigned share)
{
	if (operation->kind == OPERATION_WRITE) {
		apply_write(disk, operation, random, share);
		return;
	}
	if (!random_percent(random, share))
		return;
	switch (operation->kind) {
	case OPERATION_SIZE:
		memory_set_size(disk, operation->file, operation->offset);
		break;
	case OPERATION_ATTRIBUTE:
		apply_attribute(disk, operation);
		break;
	case OPERATION_CREATE:
		disk->journal = operation->file;
		break;
	case OPERATION_UNLINK:
		disk->journal = -1;
		break;
	default:
		break;
	}
}

/* --- syncs -------------------------------------------------------------------------------- */

static bool is_of_directory(const struct operation *operation)
{
	return operation->kind == OPERATION_CREATE ||
		operation->kind == OPERATION_UNLINK;
}

static bool is_covered(const struct operation *pending,
		       const struct operation *sync)
{
	if (sync->kind == OPERATION_SYNC_DIRECTORY)
		return is_of_directory(pending);
	if (is_of_directory(pending) || pending->file != sync->file)
		return false;
	/* The kernel loses no metadata by it, but pages. */
	if (sync->kind == OPERATION_SYNC_FAILED ||
	    sync->kind == OPERATION_SYNC_DROPPED)
		return pending->kind == OPERATION_WRITE;
	return sync->kind != OPERATION_SYNC_DATA ||
		pending->kind != OPERATION_ATTRIBUTE;
}

/* Make durable what a sync covers, or a part of it where it has failed. */
static void settle(struct replay *replay, const struct operation *sync)
{
	const unsigned share = sync->kind == OPERATION_SYNC_DROPPED ? 0 :
		sync->kind == OPERATION_SYNC_FAILED ?
		choose_share(&replay->random) : 100;
	size_t kept = 0;

	for (size_t i = 0; i < replay->pending_count; i++) {
		const size_t index = replay->pending[i];
		const struct operation *pending = &replay->log->operations[index];

		if (index < sync->offset && is_covered(pending, sync))
			apply(&replay->disk, pending, &replay->random, share);
		else
			replay->pending[kept++] = index;
	}
	replay->pending_count = kept;
}

static bool is_sync(const struct operation *operation)
{
	return operation->kind == OPERATION_SYNC_DATA ||
		operation->kind == OPERATION_SYNC_ALL ||
		operation->kind == OPERATION_SYNC_FAILED ||
		operation->kind == OPERATION_SYNC_DROPPED ||
		operation->kind == OPERATION_SYNC_DIRECTORY;
}

static bool is_change(const struct operation *operation)
{
	return !is_sync(operation) && operation->kind != OPERATION_BEGIN &&
		operation->kind != OPERATION_ACKNOWLEDGE;
}

/* --- the calls ------------------------------------------------------------------------------ */

void replay_begin(struct replay *replay, const struct log *log,
		  const struct memory_disk *initial, struct memory_arena *arena,
		  uint64_t seed)
{
	memset(replay, 0, offsetof(struct replay, disk));
	replay->log = log;
	replay->next = 0;
	arena->used = 0;
	memory_disk_copy(&replay->disk, initial, arena);
	replay->pending = calloc(log->count + 1, sizeof(*replay->pending));
	if (!replay->pending)
		abort();
	replay->pending_count = 0;
	replay->random.state = seed;
}

void replay_end(struct replay *replay)
{
	free(replay->pending);
}

void replay_step(struct replay *replay)
{
	const size_t index = replay->next++;
	const struct operation *operation = &replay->log->operations[index];

	if (operation->kind == OPERATION_CREATE) {
		memset(&replay->disk.files[operation->file], 0,
		       sizeof(struct memory_file));
		replay->disk.made = operation->file + 1;
	}
	if (is_sync(operation))
		settle(replay, operation);
	else if (is_change(operation))
		replay->pending[replay->pending_count++] = index;
}

void replay_crash(struct replay *replay, struct memory_disk *crashed,
		  struct memory_arena *arena)
{
	const unsigned share = choose_share(&replay->random);

	arena->used = 0;
	memory_disk_copy(crashed, &replay->disk, arena);
	for (size_t i = 0; i < replay->pending_count; i++)
		apply(crashed, &replay->log->operations[replay->pending[i]],
		      &replay->random, share);
}
