/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/io_fake.h"
#include "../unit/swap_pages.h"
#include "arguments.h"
#include "host/host.h"
#include "swap/write.h"

/*
 * Threads put, get and free pages of a store, each its own, and read some that all of them
 * read. What comes out is compared with what went in; a disk that fails may be told, and
 * nothing else. Each round has another store.
 */

#define OPERATIONS_PER_THREAD 300ul
#define THREADS_MOST 4u
#define PAGES_MOST 700u
#define SHARED 40u
#define BATCH 40u
#define PAGE_MOST ((size_t)64 << 10)

static struct arguments given = { .operations = 9000 };

enum disk { DISK_NONE, DISK_GOOD, DISK_BAD };

static struct {
	uint64_t seed;
	size_t page_bytes;
	unsigned threads, pages;
	enum disk disk;
	struct vmsi_swap_options options;
	struct vmsi_swap *swap;
	uint64_t shared[SHARED];
	_Atomic unsigned wrong;
	/* Over all rounds. */
	_Atomic unsigned long put, refused, lost, written, collected, resized;
} run;

/* --- a disk that fails -------------------------------------------------------------- */

static struct vmsi_host_calls real;
static _Atomic unsigned disk_calls;
static _Atomic bool is_failing;

static bool fails(unsigned one_of)
{
	uint64_t state = run.seed + atomic_fetch_add(&disk_calls, 1);

	return atomic_load(&is_failing) && draw(&state, one_of) == 0;
}

static long bad_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	if (fails(12))
		return disk_calls % 2 ? -EIO : -ENOSPC;
	if (fails(8) && length > 512)
		length /= 2;
	return real.pwrite(fd, buffer, length, offset);
}

static long bad_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (fails(12))
		return -EIO;
	if (fails(8) && length > 512)
		length /= 3;
	return real.pread(fd, buffer, length, offset);
}

static long bad_preadv(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	if (fails(12))
		return -EIO;
	return real.preadv(fd, parts, fails(8) ? 1 : count, offset);
}

/* --- a thread ----------------------------------------------------------------------- */

struct kept {
	uint64_t place, number;
	enum page_kind kind;
};

struct worker {
	uint64_t random;
	struct kept kept[PAGES_MOST];
	unsigned count;
	char *pages[BATCH];
	char *expected;
	uint64_t next_number;
	bool resizes;
};

static void note_wrong(const char *what)
{
	if (atomic_fetch_add(&run.wrong, 1) == 0)
		printf("# wrong: %s\n", what);
}

static bool may_fail(int error)
{
	return run.disk == DISK_BAD && (error == -EIO || error == -ENOSPC);
}

static void compare(struct worker *worker, const void *page, enum page_kind kind,
		    uint64_t number, int error)
{
	if (error) {
		atomic_fetch_add(&run.lost, 1);
		if (!may_fail(error))
			note_wrong("a page is not to be had");
		return;
	}
	fill_page(worker->expected, run.page_bytes, kind, number);
	if (memcmp(page, worker->expected, run.page_bytes) != 0)
		note_wrong("a page has other bytes");
}

static void put_some(struct worker *worker)
{
	const void *pages[BATCH];
	struct kept kept[BATCH];
	uint64_t places[BATCH];
	const unsigned count = 1 + draw(&worker->random, BATCH);
	int error;

	if (worker->count + count > run.pages)
		return;
	for (unsigned i = 0; i < count; i++) {
		kept[i].kind = (enum page_kind)draw(&worker->random, PAGE_KINDS);
		kept[i].number = worker->next_number++;
		fill_page(worker->pages[i], run.page_bytes, kept[i].kind, kept[i].number);
		pages[i] = worker->pages[i];
	}
	error = vmsi_swap_put(run.swap, pages, count, places);
	if (error) {
		atomic_fetch_add(&run.refused, 1);
		if (error != -ENOSPC && !may_fail(error))
			note_wrong("a put is refused");
		return;
	}
	atomic_fetch_add(&run.put, count);
	for (unsigned i = 0; i < count; i++) {
		kept[i].place = places[i];
		worker->kept[worker->count++] = kept[i];
	}
}

static void get_one(struct worker *worker)
{
	const struct kept *kept = &worker->kept[draw(&worker->random, worker->count)];
	const int error = vmsi_swap_get(run.swap, kept->place, worker->pages[0]);

	compare(worker, worker->pages[0], kept->kind, kept->number, error);
}

static void get_some(struct worker *worker)
{
	const struct kept *kept[BATCH];
	uint64_t places[BATCH];
	int errors[BATCH];

	for (unsigned i = 0; i < BATCH; i++) {
		kept[i] = &worker->kept[draw(&worker->random, worker->count)];
		places[i] = kept[i]->place;
	}
	(void)vmsi_swap_get_many(run.swap, places, (void *const *)worker->pages, BATCH,
				 errors);
	for (unsigned i = 0; i < BATCH; i++)
		compare(worker, worker->pages[i], kept[i]->kind, kept[i]->number, errors[i]);
}

static void get_shared(struct worker *worker)
{
	const unsigned i = draw(&worker->random, SHARED);
	const int error = vmsi_swap_get(run.swap, run.shared[i], worker->pages[0]);

	compare(worker, worker->pages[0], (enum page_kind)(i % PAGE_KINDS), i, error);
}

static void free_some(struct worker *worker)
{
	const unsigned count = draw(&worker->random, 2 * BATCH);

	for (unsigned i = 0; i < count && worker->count; i++) {
		const unsigned chosen = draw(&worker->random, worker->count);

		vmsi_swap_free(run.swap, worker->kept[chosen].place);
		worker->kept[chosen] = worker->kept[--worker->count];
	}
}

/* One thread at a time may do so. */
static void resize(struct worker *worker)
{
	const size_t least = vmsi_swap_least_bytes(run.page_bytes, run.options.codec);
	const size_t ram = least + draw(&worker->random, 8) *
		((run.options.ram_most - least) / 8);
	const int error = vmsi_swap_set_ram(run.swap, ram);

	if (!error && vmsi_swap_bytes(run.swap) > ram)
		note_wrong("it has kept more memory than it was left");
	if (error && error != -ENOSPC && error != -ENOMEM && error != -EINVAL &&
	    !may_fail(error))
		note_wrong("another limit is refused");
	if (!error)
		atomic_fetch_add(&run.resized, 1);
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (unsigned long i = 0; i < OPERATIONS_PER_THREAD; i++) {
		const unsigned chosen = draw(&worker->random, 100);

		if (chosen < 35 || !worker->count)
			put_some(worker);
		else if (chosen < 60)
			get_one(worker);
		else if (chosen < 70)
			get_some(worker);
		else if (chosen < 80)
			get_shared(worker);
		else
			free_some(worker);
		if (worker->resizes && i % 50 == 7)
			resize(worker);
		if (vmsi_swap_bytes(run.swap) > run.options.ram_most)
			note_wrong("it takes more memory than it may");
	}
	return NULL;
}

/* --- a round ------------------------------------------------------------------------ */

static void make_worker(struct worker *worker, unsigned index)
{
	memset(worker, 0, sizeof(*worker));
	worker->random = run.seed + index;
	worker->next_number = (uint64_t)(index + 1) << 32;
	worker->resizes = index == 0 && run.seed % 2;
	worker->expected = malloc(PAGE_MOST);
	assert_non_null(worker->expected);
	for (unsigned i = 0; i < BATCH; i++)
		assert_non_null(worker->pages[i] = malloc(PAGE_MOST));
}

static void free_worker(struct worker *worker)
{
	for (unsigned i = 0; i < BATCH; i++)
		free(worker->pages[i]);
	free(worker->expected);
}

static void put_shared(struct worker *worker)
{
	for (unsigned i = 0; i < SHARED; i++) {
		const void *page = worker->pages[0];

		fill_page(worker->pages[0], run.page_bytes,
			  (enum page_kind)(i % PAGE_KINDS), i);
		assert_int_equal(vmsi_swap_put(run.swap, &page, 1, &run.shared[i]), 0);
	}
}

/* With a disk that is well again all pages are there. */
static void check_all(struct worker *worker)
{
	for (unsigned i = 0; i < worker->count; i++) {
		const struct kept *kept = &worker->kept[i];

		assert_int_equal(vmsi_swap_get(run.swap, kept->place, worker->pages[0]), 0);
		compare(worker, worker->pages[0], kept->kind, kept->number, 0);
	}
	for (unsigned i = 0; i < worker->count; i++)
		vmsi_swap_free(run.swap, worker->kept[i].place);
}

/* What is left is what all have read. */
static void check_figures(void)
{
	struct vmsi_swap_figures figures;

	vmsi_swap_get_figures(run.swap, &figures);
	assert_int_equal(figures.pages, SHARED);
	assert_int_equal(figures.zero_pages, SHARED / PAGE_KINDS);
	for (unsigned i = 0; i < SHARED; i++)
		vmsi_swap_free(run.swap, run.shared[i]);
	vmsi_swap_get_figures(run.swap, &figures);
	assert_int_equal(figures.pages, 0);
	assert_int_equal(figures.object_bytes, 0);
	/* All is free but what is being filled. */
	vmsi_lock_acquire(&run.swap->lock);
	vmsi_write_drain(run.swap);
	vmsi_lock_release(&run.swap->lock);
	vmsi_swap_get_figures(run.swap, &figures);
	assert_true(figures.in_memory <= VMSI_FILLINGS);
	assert_int_equal(figures.in_file, 0);
	assert_int_equal(run.swap->fresh_cluster - run.swap->free_clusters,
			 figures.in_memory);
	run.written += figures.written;
	run.collected += figures.collected;
}

static void choose_options(uint64_t *random, struct vmsi_io *io)
{
	const size_t pages[] = { 4096, 4096, 16384, PAGE_MOST };
	const enum vmsi_swap_codec codecs[] = { VMSI_SWAP_LZ4, VMSI_SWAP_LZ4, VMSI_SWAP_ZSTD,
						VMSI_SWAP_RAW };
	const enum vmsi_swap_codec codec = codecs[draw(random, 4)];
	size_t least;

	run.page_bytes = pages[draw(random, 4)];
	run.threads = 1 + draw(random, THREADS_MOST);
	run.pages = 50 + draw(random, PAGES_MOST - 50);
	run.disk = (enum disk)draw(random, 3);
	least = vmsi_swap_least_bytes(run.page_bytes, codec);
	run.options = (struct vmsi_swap_options){
		.page_bytes = run.page_bytes,
		.places = draw(random, 4) ? 1 << 20 : 600,
		.ram_bytes = least + (draw(random, 3) + 2 * (run.disk == DISK_NONE)) * least / 2,
		.codec = codec,
		.io = io,
		.path = run.disk == DISK_NONE ? NULL : ".",
		.file_bytes = least * (2 + draw(random, 8)),
	};
	run.options.ram_most = 2 * run.options.ram_bytes;
}

static void run_round(uint64_t *random)
{
	static const struct fake_plan plan = {
		.seed = 3, .shortened = 20, .put_off = 10, .refused = 10, .interrupted = 10,
	};
	static struct worker workers[THREADS_MOST];
	const bool has_false_ring = draw(random, 3) == 0;
	pthread_t threads[THREADS_MOST];
	struct vmsi_io *io;

	run.seed = next_number(random);
	if (has_false_ring)
		fake_install(&plan);
	assert_int_equal(vmsi_io_open(16, draw(random, 2) ? VMSI_IO_NO_RING : 0, &io), 0);
	choose_options(random, io);
	assert_int_equal(vmsi_swap_open(&run.options, &run.swap), 0);
	for (unsigned i = 0; i < run.threads; i++)
		make_worker(&workers[i], i);
	put_shared(&workers[0]);
	atomic_store(&is_failing, run.disk == DISK_BAD);
	for (unsigned i = 0; i < run.threads; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (unsigned i = 0; i < run.threads; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&is_failing, false);
	for (unsigned i = 0; i < run.threads; i++)
		check_all(&workers[i]);
	check_figures();
	for (unsigned i = 0; i < run.threads; i++)
		free_worker(&workers[i]);
	vmsi_swap_close(run.swap);
	vmsi_io_close(io);
	if (has_false_ring)
		fake_remove();
	assert_int_equal(run.wrong, 0);
}

static void pages_come_back(void **state)
{
	uint64_t random = given.seed;

	(void)state;
	real = vmsi_host;
	vmsi_host.pwrite = bad_pwrite;
	vmsi_host.pread = bad_pread;
	vmsi_host.preadv = bad_preadv;
	for (unsigned long done = 0; done < given.operations;
	     done += OPERATIONS_PER_THREAD * run.threads)
		run_round(&random);
	vmsi_host = real;
	print_message("# %lu pages, %lu puts refused, %lu reads failed, %lu clusters "
		      "written, %lu collected\n", run.put, run.refused, run.lost,
		      run.written, run.collected);
	/* A run without these events has not tested them. */
	assert_true(run.refused > 0);
	assert_true(run.written > 0);
	assert_true(run.collected > 0);
	assert_true(run.resized > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_back),
	};

	read_arguments("swap_model", argc, argv, &given);
	return cmocka_run_group_tests_name("swap_model", tests, NULL, NULL);
}
