/* SPDX-License-Identifier: MIT */
#include "file/ended.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file/accesses.h"
#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/file.h"
#include "file/fork.h"

#define FILES 8

/* A file is known by its serial: it may be closed before the thread ends. */
struct open_accesses {
	uint64_t serial;
	unsigned count; /* 0: the place is free */
};

static _Thread_local struct open_accesses open_ones[FILES]
	__attribute__((tls_model("initial-exec")));

static struct open_accesses *find(uint64_t serial)
{
	for (size_t i = 0; i < FILES; i++)
		if (open_ones[i].count > 0 && open_ones[i].serial == serial)
			return &open_ones[i];
	return NULL;
}

static struct open_accesses *find_free(void)
{
	for (size_t i = 0; i < FILES; i++)
		if (open_ones[i].count == 0)
			return &open_ones[i];
	return NULL;
}

/* --- at the end of a thread ------------------------------------------------------------ */

static void end_accesses_of(struct vms_file *file)
{
	struct open_accesses *one = vmsi_file_reads_commits(file) ?
		find(file->atomic->reader.serial) : NULL;

	while (one && one->count > 0) {
		one->count--;
		vmsi_atomic_end_access(file);
	}
}

/* value: not NULL, so that this is called. */
static void end_accesses(void *value)
{
	(void)value;
	vmsi_accesses = NULL;
	vmsi_file_each(end_accesses_of);
}

static pthread_key_t at_end;
static bool has_key;

static void make_key(void)
{
	has_key = pthread_key_create(&at_end, end_accesses) == 0;
}

/* Where there is no key to be had, a thread that ends is not noticed. */
static void notice_end(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_key);
	if (has_key && !pthread_getspecific(at_end))
		(void)pthread_setspecific(at_end, open_ones);
}

/* --- noting ------------------------------------------------------------------------------ */

void vmsi_ended_note_begin(const struct vms_file *file)
{
	const uint64_t serial = file->atomic->reader.serial;
	struct open_accesses *one = find(serial);

	if (!one)
		one = find_free();
	if (!one)
		return;
	notice_end();
	one->serial = serial;
	one->count++;
}

void vmsi_ended_note_end(const struct vms_file *file)
{
	struct open_accesses *one = find(file->atomic->reader.serial);

	if (one)
		one->count--;
}
