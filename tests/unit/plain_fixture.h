/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_PLAIN_FIXTURE_H
#define VMSI_TESTS_PLAIN_FIXTURE_H

#include <signal.h>

#include "host/host.h"
#include "pool_fixture.h"

/* Pools that are used by plain pointers, by each of the engines. */

struct engine {
	const char *name;
	unsigned flags;
	enum vms_pool_faults engine;
	bool has_userfaultfd;
};

static const struct engine engines[] = {
	{ "signal", VMS_POOL_TRANSPARENT, VMS_POOL_FAULTS_SIGNAL, true },
	{ "served", VMS_POOL_TRANSPARENT | VMS_POOL_SERVED, VMS_POOL_FAULTS_SERVED, true },
	{ "protect", VMS_POOL_TRANSPARENT, VMS_POOL_FAULTS_PROTECT, false },
};

#define FOR_ENGINES(one) \
	for (const struct engine *one = engines; one < engines + 3; one++) \
		if (engine_is_here(one))

static inline long no_userfaultfd(int flags)
{
	(void)flags;
	return -EPERM;
}

static inline vms_pool *open_by(const struct engine *engine, int fd,
				const struct vms_pool_options *options)
{
	long (*const earlier)(int) = vmsi_host.userfaultfd;
	vms_pool *pool;

	if (!engine->has_userfaultfd)
		vmsi_host.userfaultfd = no_userfaultfd;
	pool = vms_pool_open(fd, options);
	vmsi_host.userfaultfd = earlier;
	return pool;
}

static inline vms_pool *open_plain_pages(const struct engine *engine, int fd,
					 unsigned flags, size_t ram, size_t page_size,
					 uint64_t pages)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = engine->flags | flags,
		.page_size = page_size,
		.ram = ram,
		.pages = pages,
	};

	return open_by(engine, fd, &options);
}

static inline vms_pool *must_open_plain(const struct engine *engine, int fd, unsigned flags,
					size_t ram)
{
	vms_pool *pool = open_plain_pages(engine, fd, flags, ram, PAGE, 0);

	assert_non_null(pool);
	assert_int_equal(pool_stats(pool).fault_engine, engine->engine);
	return pool;
}

/* --- accesses that fail ------------------------------------------------------------------ */

static sigjmp_buf after_signal;
static volatile siginfo_t signal_seen;

/* What comes in the place of note_signal, in children. */
static void (*instead)(int number, siginfo_t *info, void *context);

static inline void note_signal(int number, siginfo_t *info, void *context)
{
	if (instead) {
		instead(number, info, context);
		return;
	}
	signal_seen.si_signo = number;
	signal_seen.si_code = info->si_code;
	signal_seen.si_addr = info->si_addr;
	siglongjmp(after_signal, 1);
}

/*
 * cmocka has handlers of its own for each test: those of the library are put back, behind
 * which are those above, as if the program had installed them first.
 */
static struct sigaction on_bus_error, on_violation;

static inline void put_handlers_back(void)
{
	assert_int_equal(sigaction(SIGBUS, &on_bus_error, NULL), 0);
	assert_int_equal(sigaction(SIGSEGV, &on_violation, NULL), 0);
}

static inline vms_pool *open_some_pool(const struct engine *engine)
{
	const int fd = memfd_create("pages", MFD_CLOEXEC);
	vms_pool *pool;

	if (fd < 0 || ftruncate(fd, 64 * PAGE) != 0)
		abort();
	pool = open_plain_pages(engine, fd, 0, SMALL_RAM, PAGE, 0);
	if (!pool || close(fd) != 0)
		abort();
	return pool;
}

/* Before any test. */
static inline void catch_signals(void)
{
	struct sigaction action = { .sa_sigaction = note_signal,
				    .sa_flags = SA_SIGINFO | SA_NODEFER };

	(void)sigaction(SIGBUS, &action, NULL);
	(void)sigaction(SIGSEGV, &action, NULL);
	for (unsigned i = 0; i < 3; i++)
		(void)vms_pool_close(open_some_pool(&engines[i]));
	(void)sigaction(SIGBUS, NULL, &on_bus_error);
	(void)sigaction(SIGSEGV, NULL, &on_violation);
}

/* An engine that the machine does not have is left out, by the pool's own word. */
static inline bool engine_is_here(const struct engine *engine)
{
	vms_pool *pool = open_some_pool(engine);
	const struct vms_pool_stats stats = pool_stats(pool);

	put_handlers_back();
	assert_int_equal(vms_pool_close(pool), 0);
	if (stats.fault_engine == engine->engine)
		return true;
	print_message("# no engine %s here: errno %d\n", engine->name,
		      stats.fault_engine_error);
	assert_true(stats.fault_engine_error != 0);
	return false;
}

/* The signal that a load or a store meets; 0: none. */
static inline int signal_of(volatile char *address, bool is_store)
{
	signal_seen.si_signo = 0;
	if (sigsetjmp(after_signal, 1) == 0) {
		if (is_store)
			*address = 1;
		else
			(void)*address;
	}
	return signal_seen.si_signo;
}

#endif
