/* SPDX-License-Identifier: MIT */
#include "../unit/plain_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "arguments.h"
#include "../unit/no_ring.h"

/*
 * Threads load and store by plain pointers, and use calls beside, at random. Each page has
 * a word of each thread's own, which only that thread loads and stores, and words that are
 * changed under a fix and have the number of the change; every write of these is looked at:
 * it must be of one state, whose number the log has. Shadows say what is in each word. In
 * the end the file must be as they are; of memory, which has none, the pages.
 *
 * model-plain [--seed NUMBER] [--operations NUMBER]: the operations of each of three threads.
 */

#define PAGES 600
#define RAM ((size_t)1400 << 10)
#define SWAP_RAM ((size_t)700 << 10)
#define THREADS 3
#define FIXED_WORDS 4        /* after those of the threads, and so many apart */
#define APART 100

static vms_pool *pool;
static uint64_t *base;
static uint64_t plain[THREADS][PAGES];
static _Atomic uint64_t shadow[PAGES];
static _Atomic uint64_t last_lsn, log_lsn;
static atomic_bool is_wrong, has_ended;
static unsigned kind;        /* 0: over a file; VMS_POOL_MEMORY; VMS_POOL_NO_STEAL */
static ino_t home;           /* of the file */
static struct vmsi_host_calls real;
static struct arguments arguments = { .operations = 2500 };

static void wrong(const char *what, uint64_t page, uint64_t value)
{
	if (!atomic_exchange(&is_wrong, true))
		print_message("# %s: page %llu, %llu\n", what, (unsigned long long)page,
			      (unsigned long long)value);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* --- words ------------------------------------------------------------------------------ */

static uint64_t *words_of(uint64_t page)
{
	return base + page * PAGE / sizeof(*base);
}

static uint64_t *fixed_word(uint64_t *words, unsigned place)
{
	return &words[THREADS + place * APART];
}

static bool is_one_state(uint64_t *words)
{
	for (unsigned i = 1; i < FIXED_WORDS; i++)
		if (*fixed_word(words, i) != *fixed_word(words, 0))
			return false;
	return true;
}

/* --- the log, and what is written ---------------------------------------------------------- */

static int make_durable(void *context, uint64_t lsn)
{
	uint64_t seen = atomic_load(&log_lsn);

	(void)context;
	while (seen < lsn && !atomic_compare_exchange_weak(&log_lsn, &seen, lsn))
		;
	return 0;
}

/* The memfd of an engine, and a swap file, are no files of a pool. */
static bool is_home(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_ino == home;
}

static long checked_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	for (size_t i = 0; is_home(fd) && i + PAGE <= length; i += PAGE) {
		uint64_t *words = (uint64_t *)((uintptr_t)buffer + i);

		if (!is_one_state(words))
			wrong("half a change is written", (offset + i) / PAGE, 0);
		if (*fixed_word(words, 0) > atomic_load(&log_lsn))
			wrong("a page is written before its log", (offset + i) / PAGE,
			      *fixed_word(words, 0));
	}
	return real.pwrite(fd, buffer, length, offset);
}

/* --- operations ------------------------------------------------------------------------------ */

static void load(unsigned thread, uint64_t page)
{
	const uint64_t value = *(volatile uint64_t *)&words_of(page)[thread];

	if (value != plain[thread][page])
		wrong("a load finds another value", page, value);
}

static void store(unsigned thread, uint64_t page)
{
	*(volatile uint64_t *)&words_of(page)[thread] = ++plain[thread][page];
}

static void change_fixed(uint64_t page)
{
	uint64_t *words = vms_pool_fix(pool, page, VMS_POOL_WRITE);
	const uint64_t lsn = atomic_fetch_add(&last_lsn, 1) + 1;

	if (!words) {
		wrong("a fix fails", page, (uint64_t)errno);
		return;
	}
	if (!is_one_state(words) || *fixed_word(words, 0) != atomic_load(&shadow[page]))
		wrong("a page is not as it was left", page, *fixed_word(words, 0));
	for (unsigned i = 0; i < FIXED_WORDS; i++)
		*fixed_word(words, i) = lsn;
	atomic_store(&shadow[page], lsn);
	if (vms_pool_dirty(pool, page, lsn) != 0 || vms_pool_unfix(pool, page) != 0)
		wrong("dirty or unfix fails", page, (uint64_t)errno);
}

static void look(uint64_t page)
{
	uint64_t *words = vms_pool_fix(pool, page, VMS_POOL_READ);

	if (!words) {
		wrong("a fix fails", page, (uint64_t)errno);
		return;
	}
	if (!is_one_state(words) || *fixed_word(words, 0) != atomic_load(&shadow[page]))
		wrong("a page is not as it was left", page, *fixed_word(words, 0));
	(void)vms_pool_unfix(pool, page);
}

static void pin(unsigned thread, uint64_t page)
{
	const size_t length = (page % 5 + 1) * PAGE;

	if (page + 5 >= PAGES)
		return;
	if (vms_pool_pin(pool, words_of(page), length, VMS_POOL_READ) != 0) {
		wrong("a pin fails", page, (uint64_t)errno);
		return;
	}
	store(thread, page);
	load(thread, page + page % 5);
	if (vms_pool_unpin(pool, words_of(page), length) != 0)
		wrong("an unpin fails", page, (uint64_t)errno);
}

static void scan(unsigned thread, uint64_t page)
{
	for (uint64_t i = page; i < page + 40 && i < PAGES; i++)
		load(thread, i);
}

static void prefetch(uint64_t *random)
{
	uint64_t pages[8];

	for (unsigned i = 0; i < 8; i++)
		pages[i] = next_random(random) % PAGES;
	(void)vms_pool_prefetch(pool, pages, 8);
}

/* Half of the pages are used seldom. */
static uint64_t some_page(uint64_t *random)
{
	const uint64_t page = next_random(random) % PAGES;

	return next_random(random) % 4 ? page / 2 : page;
}

static void operate(unsigned thread, uint64_t *random)
{
	const uint64_t page = some_page(random);

	switch (next_random(random) % 16) {
	case 0: case 1:
		change_fixed(page);
		break;
	case 2:
		look(page);
		break;
	case 3:
		pin(thread, page);
		break;
	case 4:
		scan(thread, page);
		break;
	case 5:
		prefetch(random);
		break;
	case 6: case 7: case 8: case 9: case 10:
		store(thread, page);
		break;
	default:
		load(thread, page);
		break;
	}
}

static void *run(void *argument)
{
	const unsigned thread = (unsigned)(uintptr_t)argument;
	uint64_t random = arguments.seed * THREADS + thread;

	for (unsigned long i = 0; i < arguments.operations && !atomic_load(&is_wrong); i++)
		operate(thread, &random);
	return NULL;
}

/* What is not committed may be held back. */
static void flush(void)
{
	if (kind == VMS_POOL_MEMORY)
		return;
	if (kind == VMS_POOL_NO_STEAL) {
		const uint64_t lsn = atomic_load(&last_lsn);

		(void)make_durable(NULL, lsn);
		(void)vms_pool_durable(pool, lsn);
	}
	if (vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) != 0 &&
	    (kind != VMS_POOL_NO_STEAL || errno != EAGAIN))
		wrong("a flush fails", 0, (uint64_t)errno);
}

/* What changes the pool itself goes on until all others have ended. */
static void *disturb(void *argument)
{
	const size_t ram = kind ? RAM + SWAP_RAM : RAM;
	uint64_t random = arguments.seed ^ 77;

	(void)argument;
	while (!atomic_load(&has_ended)) {
		const uint64_t page = some_page(&random);

		if (page % 7 == 0)
			flush();
		(void)vms_pool_hint(pool, page, (enum vms_pool_hint)(page % 3 + 1));
		if (page % 5 == 0 && vms_pool_set_ram(pool, ram - page % 2 * RAM / 8) != 0)
			wrong("set_ram fails", 0, (uint64_t)errno);
		(void)vmsi_host.nanosleep(200000);
	}
	return NULL;
}

/* --- a run --------------------------------------------------------------------------------------- */

static void make_file(int fd)
{
	uint64_t words[PAGE / sizeof(uint64_t)] = { 0 };

	words[APART - 1] = PAGES;
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(write(fd, words, PAGE), PAGE);
	memset(plain, 0, sizeof(plain));
	for (unsigned i = 0; i < PAGES; i++)
		atomic_store(&shadow[i], 0);
	atomic_store(&has_ended, false);
}

/* As the file has it, where there is one. */
static void read_page(int fd, unsigned page, uint64_t *words)
{
	if (kind != VMS_POOL_MEMORY) {
		assert_int_equal(pread(fd, words, PAGE, page * PAGE), PAGE);
		return;
	}
	memcpy(words, must_fix(pool, page, VMS_POOL_READ), PAGE);
	must_unfix(pool, page);
}

static void must_be_as_shadows(int fd)
{
	uint64_t words[PAGE / sizeof(uint64_t)];

	for (unsigned page = 0; page < PAGES; page++) {
		read_page(fd, page, words);
		for (unsigned i = 0; i < THREADS; i++)
			if (words[i] != plain[i][page])
				wrong("the file has another value", page, words[i]);
		if (!is_one_state(words) || *fixed_word(words, 0) != shadow[page])
			wrong("the file has another state", page, *fixed_word(words, 0));
	}
}

static void use_engine(const struct engine *engine, int fd)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = engine->flags | kind,
		.page_size = PAGE,
		.ram = kind ? RAM + SWAP_RAM : RAM,
		.pages = PAGES,
		.swap_path = kind ? "." : NULL,
		.swap_ram = kind ? SWAP_RAM : 0,
		.make_durable = kind ? NULL : make_durable,
	};
	pthread_t threads[THREADS], other;

	make_file(fd);
	pool = open_by(engine, kind == VMS_POOL_MEMORY ? -1 : fd, &options);
	assert_non_null(pool);
	assert_int_equal(vms_pool_grow(pool, PAGES), 0);
	base = vms_pool_base(pool);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
	assert_int_equal(pthread_create(&other, NULL, disturb, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&has_ended, true);
	pthread_join(other, NULL);
	flush();
	must_be_as_shadows(fd);
	assert_true(pool_stats(pool).evictions > 100);
	assert_int_equal(vms_pool_close(pool), 0);
	assert_false(atomic_load(&is_wrong));
}

static void use_kind(unsigned of, const struct place *place)
{
	kind = of;
	FOR_ENGINES(engine) {
		int fd = open(place->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		struct stat status;

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &status), 0);
		home = status.st_ino;
		use_engine(engine, fd);
		assert_int_equal(close(fd), 0);
	}
}

static void over_a_file(void **state)
{
	use_kind(0, *state);
}

static void over_memory(void **state)
{
	use_kind(VMS_POOL_MEMORY, *state);
}

static void in_transactions(void **state)
{
	use_kind(VMS_POOL_NO_STEAL, *state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		file_test(over_a_file),
		file_test(over_memory),
		file_test(in_transactions),
	};

	read_arguments("plain_model", argc, argv, &arguments);
	real = vmsi_host;
	vmsi_host.pwrite = checked_pwrite;
	vmsi_uring.open = no_ring;
	catch_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
