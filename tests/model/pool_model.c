/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "arguments.h"
#include "host/host.h"
#include "../unit/no_ring.h"
#include "pool/pool.h"
#include "pool_model_pages.h"

/*
 * Threads use a pool at random, beside a shadow that says what is in each page. A page's
 * words have its number and the number (lsn) of its last change. Who has a page fixed
 * compares it with the shadow, which is changed only by who has it fixed for writing. A
 * log says how far it is durable; every write is looked at, and must not be of a page
 * whose last change the log does not have. In the end the file must be as the shadow. The
 * same with pages that are put aside: all of them, or those that are not committed.
 *
 * model-pool [--seed NUMBER] [--operations NUMBER]: operations of each of four threads.
 */

#define PAGES 600
#define OWN_PAGES 64      /* behind them: allocated and freed */
#define RAM ((size_t)1400 << 10)
#define ASIDE_RAM ((size_t)900 << 10) /* more, for what is aside */
#define THREADS 4

static vms_pool *pool;
static int file;
static _Atomic uint64_t shadow[PAGES];
static _Atomic uint64_t last_lsn, log_lsn;
static atomic_bool is_wrong;
static struct vmsi_host_calls real;
static struct vmsi_uring_calls real_uring;
static struct arguments arguments = { .operations = 8000 };
static unsigned aside;    /* VMS_POOL_MEMORY, VMS_POOL_NO_STEAL or 0 */

static void wrong(const char *what, uint64_t page, uint64_t value)
{
	if (!atomic_exchange(&is_wrong, true))
		printf("# %s: page %llu, %llu\n", what, (unsigned long long)page,
		       (unsigned long long)value);
}

/* --- the log ------------------------------------------------------------------------------- */

static int make_durable(void *context, uint64_t lsn)
{
	uint64_t seen = atomic_load(&log_lsn);

	(void)context;
	if (lsn % 13 == 0 && lsn % 2)
		return -1;
	while (seen < lsn && !atomic_compare_exchange_weak(&log_lsn, &seen, lsn))
		;
	return 0;
}

/* Committed, for a pool that does not ask. */
static void commit(void)
{
	const uint64_t lsn = atomic_load(&last_lsn);
	uint64_t seen = atomic_load(&log_lsn);

	while (seen < lsn && !atomic_compare_exchange_weak(&log_lsn, &seen, lsn))
		;
	if (vms_pool_durable(pool, lsn) != 0)
		wrong("durable fails", 0, (uint64_t)errno);
}

/* The swap file is another one. */
static bool is_home(int fd)
{
	return aside != VMS_POOL_MEMORY && pool && fd == pool->store.fd;
}

static void check_write(const void *buffer, size_t length, uint64_t offset)
{
	/* What goes on after a short write was looked at before. */
	for (size_t i = 0; offset % PAGE == 0 && i + PAGE <= length; i += PAGE) {
		const uint64_t *words = (const uint64_t *)((const char *)buffer + i);
		const uint64_t page = (offset + i) / PAGE;

		if (page < PAGES && !is_filled(words, page, lsn_of(words)))
			wrong("half a change is written", page, lsn_of(words));
		if (page < PAGES && lsn_of(words) > atomic_load(&log_lsn))
			wrong("a page is written before its log", page, lsn_of(words));
	}
}

static long checked_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	if (is_home(fd))
		check_write(buffer, length, offset);
	/* Short, at times. */
	if (is_home(fd) && length > PAGE && offset / PAGE % 5 == 0)
		length = PAGE + 512;
	return real.pwrite(fd, buffer, length, offset);
}

static bool checked_add(struct vmsi_uring *ring,
			const struct vmsi_uring_operation *operation)
{
	if (operation->opcode == VMSI_URING_WRITE && !operation->part_count &&
	    is_home(operation->fd))
		check_write(operation->buffer, operation->length, operation->offset);
	return real_uring.add(ring, operation);
}

/* --- operations ----------------------------------------------------------------------------- */

static void compare(const void *address, uint64_t page)
{
	const uint64_t lsn = atomic_load(&shadow[page]);

	if (!is_filled(address, page, lsn))
		wrong("a page is not as it was left", page, lsn);
}

static void read_page(uint64_t page, bool tries)
{
	const void *address = tries ? vms_pool_try_fix(pool, page, VMS_POOL_READ) :
				      vms_pool_fix(pool, page, VMS_POOL_READ);

	if (!address) {
		if (errno != EAGAIN && errno != ENOBUFS)
			wrong("a fix fails", page, (uint64_t)errno);
		return;
	}
	compare(address, page);
	if (vms_pool_unfix(pool, page) != 0)
		wrong("an unfix fails", page, 0);
}

static void change_fixed(void *address, uint64_t page)
{
	const uint64_t lsn = atomic_fetch_add(&last_lsn, 1) + 1;

	compare(address, page);
	fill(address, page, lsn);
	atomic_store(&shadow[page], lsn);
	if (vms_pool_dirty(pool, page, lsn) != 0)
		wrong("dirty fails", page, (uint64_t)errno);
}

static void write_page(uint64_t page, bool lowers)
{
	void *address = vms_pool_fix(pool, page, VMS_POOL_WRITE);

	if (!address) {
		if (errno != ENOBUFS)
			wrong("a fix fails", page, (uint64_t)errno);
		return;
	}
	change_fixed(address, page);
	if (lowers) {
		if (vms_pool_downgrade(pool, page) != 0)
			wrong("a downgrade fails", page, 0);
		compare(address, page);
	}
	if (vms_pool_unfix(pool, page) != 0)
		wrong("an unfix fails", page, 0);
}

static void read_without_fix(uint64_t page, bool upgrades)
{
	uint64_t ticket = 0, words[PAGE / sizeof(uint64_t)];
	const uint64_t *address = vms_pool_begin(pool, page, &ticket);
	void *mine;

	if (!address)
		return;
	if (upgrades) {
		mine = vms_pool_upgrade(pool, page, ticket);
		if (!mine)
			return;
		change_fixed(mine, page);
		(void)vms_pool_unfix(pool, page);
		return;
	}
	/* To ThreadSanitizer it is a race. */
	for (size_t i = 0; !VMSI_HAS_TSAN && i < PAGE / sizeof(*words); i += STEP)
		words[i] = __atomic_load_n(&address[i], __ATOMIC_RELAXED);
	if (vms_pool_validate(pool, page, ticket) && !VMSI_HAS_TSAN &&
	    !is_filled(words, page, lsn_of(words)))
		wrong("a read that is valid is torn", page, lsn_of(words));
}

#define TOGETHER 7

static void fix_together(uint64_t *random)
{
	const uint64_t first = next_random(random) % (PAGES - 9 * TOGETHER);
	const enum vms_pool_mode mode = next_random(random) % 2 ? VMS_POOL_READ :
								  VMS_POOL_WRITE;
	uint64_t pages[TOGETHER];
	void *addresses[TOGETHER];

	for (size_t i = 0; i < TOGETHER; i++)
		pages[i] = first + (i * 5 % TOGETHER) * 9;
	if (vms_pool_fix_many(pool, pages, addresses, TOGETHER, mode) != 0) {
		if (errno != ENOBUFS)
			wrong("fixing many fails", first, (uint64_t)errno);
		return;
	}
	for (size_t i = 0; i < TOGETHER; i++)
		if (mode == VMS_POOL_WRITE)
			change_fixed(addresses[i], pages[i]);
		else
			compare(addresses[i], pages[i]);
	if (vms_pool_unfix_many(pool, pages, TOGETHER) != 0)
		wrong("unfixing many fails", first, 0);
}

static void read_ahead(uint64_t *random)
{
	uint64_t pages[20];

	for (size_t i = 0; i < 20; i++)
		pages[i] = next_random(random) % PAGES;
	if (vms_pool_prefetch(pool, pages, 20) < 0)
		wrong("prefetch fails", 0, (uint64_t)errno);
}

/* Pages behind the others, that are zero when they are got. */
static void allocate_and_free(uint64_t *random)
{
	uint64_t page = 0;
	uint64_t *words = vms_pool_allocate(pool, &page);

	if (!words) {
		if (errno != ENOBUFS && errno != ENOSPC)
			wrong("allocate fails", 0, (uint64_t)errno);
		return;
	}
	if (page < PAGES)
		wrong("a page is allocated that is in use", page, 0);
	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		if (words[i])
			wrong("what is allocated is not zero", page, words[i]);
	memset(words, 0xff, PAGE);
	(void)vms_pool_unfix(pool, page);
	for (uint64_t i = next_random(random) % 4; i > 0; i--)
		read_page(next_random(random) % PAGES, false);
	/* Somebody may be writing it: then it is waited for. */
	if (vms_pool_free(pool, page) != 0 && errno != EBUSY)
		wrong("free fails", page, (uint64_t)errno);
}

static void flush(uint64_t *random)
{
	const uint64_t lsn = next_random(random) % 2 ? VMS_POOL_ALL :
						       atomic_load(&log_lsn);

	if (aside == VMS_POOL_MEMORY)
		return;

	if (vms_pool_flush(pool, lsn, NULL, NULL) != 0 && errno != EAGAIN)
		wrong("flush fails", 0, (uint64_t)errno);
}

static void resize(uint64_t *random)
{
	const size_t ram = RAM + (aside ? ASIDE_RAM : 0) +
		next_random(random) % 8 * (128 << 10);

	if (vms_pool_set_ram(pool, ram) != 0 && errno != EBUSY && errno != ENOBUFS)
		wrong("set_ram fails", 0, (uint64_t)errno);
}

static void operate(uint64_t *random)
{
	/* A few pages are used much. */
	const uint64_t page = next_random(random) % 4 ?
		next_random(random) % PAGES : next_random(random) % 8;
	const uint64_t which = next_random(random) % 1000;

	if (which < 300)
		read_page(page, which < 50);
	else if (which < 560)
		write_page(page, which < 350);
	else if (which < 800)
		read_without_fix(page, which < 600);
	else if (which < 860)
		fix_together(random);
	else if (which < 900)
		read_ahead(random);
	else if (which < 940)
		(void)vms_pool_hint(pool, page, 1 + (enum vms_pool_hint)(which % 3));
	else if (which < 980)
		allocate_and_free(random);
	else if (which < 986 && aside == VMS_POOL_NO_STEAL)
		commit();
	else if (which < 986)
		(void)vms_pool_durable(pool, atomic_load(&log_lsn));
	else if (which < 990)
		resize(random);
	else if (which < 993)
		flush(random);
}

/* --- threads ----------------------------------------------------------------------------------- */

static void *run(void *argument)
{
	uint64_t random = *(uint64_t *)argument;

	for (unsigned long i = 0; i < arguments.operations && !atomic_load(&is_wrong); i++)
		operate(&random);
	return NULL;
}

static void make_file(void)
{
	uint64_t words[PAGE / sizeof(uint64_t)] = { 0 };

	file = memfd_create("pool", MFD_CLOEXEC);
	assert_true(file >= 0);
	for (uint64_t page = 0; page < PAGES; page++) {
		fill(words, page, 0);
		assert_int_equal(pwrite(file, words, PAGE, (off_t)(page * PAGE)), PAGE);
		atomic_store(&shadow[page], 0);
	}
}

/* The same, in a pool of memory. */
static void make_pages(void)
{
	assert_int_equal(vms_pool_grow(pool, PAGES), 0);
	for (uint64_t page = 0; page < PAGES; page++) {
		void *address = vms_pool_fix(pool, page, VMS_POOL_WRITE);

		assert_non_null(address);
		fill(address, page, 0);
		atomic_store(&shadow[page], 0);
		assert_int_equal(vms_pool_unfix(pool, page), 0);
	}
}

static void open_it(unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.page_size = PAGE,
		.ram = RAM + (aside ? ASIDE_RAM : 0),
		.ram_most = 2 * (RAM + ASIDE_RAM),
		.pages = PAGES_MOST,
		.make_durable = aside ? NULL : make_durable,
		.depth = 16,
		.swap_path = aside ? "." : NULL,
	};

	pool = NULL;
	file = -1;
	if (aside != VMS_POOL_MEMORY)
		make_file();
	atomic_store(&last_lsn, 0);
	atomic_store(&log_lsn, 0);
	pool = vms_pool_open(file, &options);
	assert_non_null(pool);
	if (aside == VMS_POOL_MEMORY)
		make_pages();
}

/* What is flushed is in the file; what there is no file for is in the pool. */
static void compare_file(void)
{
	uint64_t words[PAGE / sizeof(uint64_t)];

	for (uint64_t page = 0; aside && page < PAGES; page++)
		read_page(page, false);
	if (aside == VMS_POOL_MEMORY)
		return;
	atomic_store(&log_lsn, UINT64_MAX - 1);
	assert_int_equal(vms_pool_durable(pool, UINT64_MAX - 1), 0);
	assert_int_equal(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), 0);
	for (uint64_t page = 0; page < PAGES; page++) {
		assert_int_equal(pread(file, words, PAGE, (off_t)(page * PAGE)), PAGE);
		compare(words, page);
	}
}

static void model(unsigned flags, bool has_ring, uint64_t seed, unsigned threads)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	pthread_t ids[THREADS];
	uint64_t seeds[THREADS];

	aside = flags & (VMS_POOL_MEMORY | VMS_POOL_NO_STEAL);
	vmsi_host.pwrite = checked_pwrite;
	vmsi_uring.add = checked_add;
	if (!has_ring)
		vmsi_uring.open = no_ring;
	open_it(flags);
	for (unsigned i = 0; i < threads; i++) {
		seeds[i] = seed * 1000 + i;
		assert_int_equal(pthread_create(&ids[i], NULL, run, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < threads; i++)
		assert_int_equal(pthread_join(ids[i], NULL), 0);
	if (!atomic_load(&is_wrong))
		compare_file();
	assert_int_equal(vms_pool_get_stats(pool, &stats), 0);
	printf("# %llu hits, %llu misses, %llu evictions, %llu pages written, %llu waits\n",
	       (unsigned long long)stats.hits, (unsigned long long)stats.misses,
	       (unsigned long long)stats.evictions,
	       (unsigned long long)stats.pages_written, (unsigned long long)stats.waits);
	/* A run without these has not tested what it is for. */
	assert_true(!aside || stats.pages_aside > 0);
	assert_int_equal(vms_pool_close(pool), 0);
	assert_true(file < 0 || close(file) == 0);
	vmsi_uring = real_uring;
	vmsi_host = real;
	assert_false(atomic_load(&is_wrong));
}

struct variant {
	unsigned flags;
	bool has_ring;
	unsigned threads;
};

static const struct variant variants[] = {
	{ 0, false, THREADS },
	{ 0, true, THREADS },
	{ VMS_POOL_NO_WRITER, false, THREADS },
	{ VMS_POOL_ADDRESSED, false, THREADS },
	{ VMS_POOL_ADDRESSED, true, THREADS },
	{ 0, false, 1 },
	{ VMS_POOL_MEMORY, false, THREADS },
	{ VMS_POOL_MEMORY, true, THREADS },
	{ VMS_POOL_MEMORY | VMS_POOL_ADDRESSED | VMS_POOL_NO_WRITER, false, THREADS },
	{ VMS_POOL_NO_STEAL, false, THREADS },
	{ VMS_POOL_NO_STEAL | VMS_POOL_ADDRESSED, true, THREADS },
};

static void run_variant(void **state)
{
	const struct variant *variant = *state;

	model(variant->flags, variant->has_ring,
	      arguments.seed + (unsigned)(variant - variants), variant->threads);
}

#define VARIANT(name, number) \
	{ name, run_variant, NULL, NULL, (void *)(uintptr_t)&variants[number] }

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		VARIANT("frames", 0),
		VARIANT("frames by io_uring", 1),
		VARIANT("frames without a writer", 2),
		VARIANT("addressed", 3),
		VARIANT("addressed by io_uring", 4),
		VARIANT("one thread", 5),
		VARIANT("memory", 6),
		VARIANT("memory by io_uring", 7),
		VARIANT("memory, addressed, without a writer", 8),
		VARIANT("no-steal", 9),
		VARIANT("no-steal, addressed, by io_uring", 10),
	};

	read_arguments("pool_model", argc, argv, &arguments);
	real = vmsi_host;
	real_uring = vmsi_uring;
	return cmocka_run_group_tests_name("pool_model", tests, NULL, NULL);
}
