/* SPDX-License-Identifier: MIT */
#include "accounts.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../kernel/random.h"
#include "../unit/guard_again.h"
#include "host/host.h"

struct account {
	uint64_t money;
};

/* Behind the accounts. */
struct counter {
	uint64_t transfers;
};

static uint64_t place(unsigned index)
{
	return index * vmsi_page_size();
}

static struct account *account(vms_file *file, unsigned index)
{
	return vms_file_at(file, place(index), sizeof(struct account));
}

static struct counter *counter(vms_file *file, unsigned thread)
{
	return vms_file_at(file, place(ACCOUNTS + thread),
			   sizeof(struct counter));
}

static long no_userfaultfd(int flags)
{
	(void)flags;
	return -EPERM;
}

vms_file *accounts_open(const char *path, enum knowing knowing)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_CREATE |
			(knowing == TELLS ? VMS_FILE_TELLS : 0),
		.maximum = place(ACCOUNTS + THREADS),
		.dirty_limit = place(6),
	};
	const struct vmsi_host_calls earlier = vmsi_host;
	vms_file *file;

	if (knowing == STALLED)
		vmsi_host.userfaultfd = no_userfaultfd;
	file = vms_file_open(path, &options);
	if (file)
		guard_again();
	vmsi_host = earlier;
	if (!file || vms_file_size(file) != 0)
		return file;
	if (vms_file_resize(file, place(ACCOUNTS + THREADS)) != 0)
		return NULL;
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		if (vms_file_will_write(file, place(i), sizeof(uint64_t)) != 0)
			return NULL;
		account(file, i)->money = MONEY;
	}
	return vms_file_commit(file) == 0 ? file : NULL;
}

/* --- transfers ---------------------------------------------------------------------- */

struct teller {
	vms_file *file;
	struct progress *progress;
	unsigned number;
	struct random random;
	const char *problem;
};

/* One at a time moves money; the commits are what is tried. */
static pthread_mutex_t moving = PTHREAD_MUTEX_INITIALIZER;

static bool transfer(struct teller *teller)
{
	vms_file *file = teller->file;
	const unsigned from = (unsigned)random_below(&teller->random, ACCOUNTS);
	const unsigned to = (unsigned)random_below(&teller->random, ACCOUNTS);
	bool told;

	vms_file_begin_update(file);
	told = vms_file_will_write(file, place(from), sizeof(uint64_t)) == 0 &&
		vms_file_will_write(file, place(to), sizeof(uint64_t)) == 0 &&
		vms_file_will_write(file, place(ACCOUNTS + teller->number),
				    sizeof(uint64_t)) == 0;
	if (told) {
		pthread_mutex_lock(&moving);
		if (account(file, from)->money > 0) {
			account(file, from)->money--;
			account(file, to)->money++;
		}
		counter(file, teller->number)->transfers++;
		pthread_mutex_unlock(&moving);
	}
	vms_file_end_update(file);
	return told && vms_file_commit(file) == 0;
}

static void *transfer_until_stopped(void *argument)
{
	struct teller *teller = argument;

	while (!atomic_load(&teller->progress->stop)) {
		if (!transfer(teller)) {
			teller->problem = strerror(errno);
			return NULL;
		}
		atomic_fetch_add(
			&teller->progress->acknowledged[teller->number], 1);
	}
	return NULL;
}

const char *accounts_transfer(vms_file *file, struct progress *progress,
			      uint64_t seed)
{
	struct teller tellers[THREADS];
	pthread_t threads[THREADS];
	const char *problem = NULL;

	for (unsigned i = 0; i < THREADS; i++) {
		tellers[i] = (struct teller){ file, progress, i,
			{ random_mix(seed, i) }, NULL };
		if (pthread_create(&threads[i], NULL, transfer_until_stopped,
				   &tellers[i]) != 0)
			return "pthread_create";
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (tellers[i].problem)
			problem = tellers[i].problem;
	}
	return problem;
}

/* --- checks ------------------------------------------------------------------------- */

static bool is_sum_right(vms_file *file)
{
	uint64_t sum = 0;

	if (vms_file_size(file) != place(ACCOUNTS + THREADS))
		return false;
	for (unsigned i = 0; i < ACCOUNTS; i++)
		sum += account(file, i)->money;
	return sum == (uint64_t)ACCOUNTS * MONEY;
}

const char *accounts_check(vms_file *file, const struct progress *progress)
{
	if (!is_sum_right(file))
		return "a part of a commit is missing";
	for (unsigned i = 0; i < THREADS; i++) {
		const uint64_t found = counter(file, i)->transfers;
		const uint64_t known = atomic_load(&progress->acknowledged[i]);

		if (found < known)
			return "an acknowledged commit is missing";
		if (found > known + 1)
			return "a commit that was not made";
	}
	return NULL;
}

static const char *read_once(vms_file *file)
{
	struct vms_file_access access;
	bool right;

	if (vms_file_begin_access(file, &access) != 0)
		return strerror(errno);
	right = is_sum_right(file);
	if (vms_file_end_access(&access, NULL) != 0)
		return strerror(errno);
	return right ? NULL : "a reader saw a part of a commit";
}

const char *accounts_read(const char *path, struct progress *progress)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
	};
	const char *problem = NULL;
	vms_file *file = vms_file_open(path, &options);

	if (file)
		guard_again();
	if (!file)
		return strerror(errno);
	while (!problem && !atomic_load(&progress->stop)) {
		problem = read_once(file);
		atomic_fetch_add(&progress->readings, 1);
	}
	vms_file_close(file);
	return problem;
}
