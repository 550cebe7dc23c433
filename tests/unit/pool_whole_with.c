/* SPDX-License-Identifier: MIT */
#include "no_ring.h"
#include "plain_fixture.h"
#include "pool/pool.h"
#include "pool_area_fixture.h"
#include "pool_snapshot_fixture.h"

/* Pages that are kept whole where they are stored to by plain pointers, or have snapshots. */

static struct vmsi_host_calls real;

/* Of the pool that is open. All writes of it are made one after the other. */
static struct {
	_Atomic int area, home;
	_Atomic bool is_synced;          /* the area, since it was written last */
	_Atomic unsigned home_writes, home_too_early;
	_Atomic long home_write;         /* -errno, and a part is written */
} host;

static long noted_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	if (fd == host.area)
		host.is_synced = false;
	if (fd != host.home)
		return real.pwrite(fd, buffer, length, offset);
	host.home_writes++;
	host.home_too_early += !host.is_synced;
	if (!host.home_write)
		return real.pwrite(fd, buffer, length, offset);
	(void)real.pwrite(fd, buffer, 512, offset);
	return host.home_write;
}

static long noted_fdatasync(int fd)
{
	if (fd == host.area)
		host.is_synced = true;
	return real.fdatasync(fd);
}

static void note(const vms_pool *pool)
{
	assert_non_null(pool);
	host.area = pool->area.fd;
	host.home = pool->store.fd;
	host.home_writes = host.home_too_early = 0;
	host.home_write = 0;
	host.is_synced = false;
}

static void close_noted(vms_pool *pool)
{
	host.area = host.home = -1;
	worked(vms_pool_close(pool));
}

static int set_up(void **state)
{
	real = vmsi_host;
	host.area = host.home = -1;
	vmsi_host.pwrite = noted_pwrite;
	vmsi_host.fdatasync = noted_fdatasync;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_host = real;
	return drop_area(state);
}

/* --- plain pointers --------------------------------------------------------------------------- */

static vms_pool *open_plain_whole(const struct engine *engine, const struct place *place, int fd)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = engine->flags | VMS_POOL_WHOLE_PAGES,
		.page_size = PAGE,
		.ram = SMALL_RAM,
		.area = area_path(place),
	};
	vms_pool *pool = open_by(engine, fd, &options);

	note(pool);
	assert_int_equal(pool_stats(pool).fault_engine, engine->engine);
	return pool;
}

static void store(vms_pool *pool, uint64_t pages, unsigned state)
{
	char *base = vms_pool_base(pool);

	for (uint64_t page = 0; page < pages; page++)
		fill_page(base + page * PAGE, page, state);
}

static void stores_go_to_the_area_first(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = open_plain_whole(engine, place, fd);

		assert_true(pool_stats(pool).slots < FILE_PAGES);
		for (unsigned i = 1; i < 4; i++) {
			store(pool, FILE_PAGES, i);
			worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
			for (uint64_t page = 0; page < FILE_PAGES; page += 50)
				assert_int_equal(state_in_file(place->path, page), i);
		}
		assert_true(host.home_writes > 0);
		assert_int_equal(host.home_too_early, 0);
		assert_true(pool_stats(pool).area_batches > VMSI_AREA_PLACES);
		close_noted(pool);
		assert_int_equal(close(fd), 0);
	}
}

/* Of so many none has to leave, so that only the flush writes. */
#define FEW_PAGES 64

/* Leave the area as it is when something of a flush is written, and tear what it has. */
static void what_was_stored_is_mended(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		struct moment moment = { .place = place };
		vms_pool *pool = open_plain_whole(engine, place, fd);
		uint64_t page;

		store(pool, FEW_PAGES, 1);
		refused(vms_pool_flush(pool, VMS_POOL_ALL, copy_then, &moment), ECANCELED);
		close_noted(pool);
		page = head_of(&moment.left, 1)->entries[0].page;
		put_area(place, &moment.left);
		tear(fd, page, 0, 1);
		pool = open_plain_whole(engine, place, fd);
		assert_true(pool_stats(pool).area_mended > 0);
		assert_true(page_is((char *)vms_pool_base(pool) + page * PAGE, page, 1));
		close_noted(pool);
		free_area(&moment.left);
		assert_int_equal(close(fd), 0);
	}
}

/* A page that could not be written is in the area until it can be. */
static void a_store_that_is_not_written_stays(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = open_plain_whole(engine, place, fd);
		char *base = vms_pool_base(pool);

		fill_page(base + 5 * PAGE, 5, 1);
		host.home_write = -ENOSPC;
		refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), ENOSPC);
		assert_int_equal(state_in_file(place->path, 5), -1);
		assert_true(page_is(base + 5 * PAGE, 5, 1));
		/* Nor by then. */
		worked(vms_pool_close(pool));
		host.area = host.home = -1;
		pool = open_plain_whole(engine, place, fd);
		assert_int_equal(pool_stats(pool).area_mended, 1);
		assert_true(page_is((char *)vms_pool_base(pool) + 5 * PAGE, 5, 1));
		close_noted(pool);
		assert_int_equal(close(fd), 0);
	}
}

/* --- snapshots -------------------------------------------------------------------------------- */

static vms_pool *open_both(const struct place *place, int fd)
{
	const int saved = make_nameless();
	vms_pool *pool = open_snapshots_beside(fd, saved,
					       VMS_POOL_WHOLE_PAGES | VMS_POOL_NO_WRITER,
					       SNAPSHOT_BYTES, area_path(place));

	note(pool);
	assert_int_equal(close(saved), 0);
	return pool;
}

static int child_has_all(vms_pool *pool, unsigned state)
{
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		if (!child_has(pool, page, state))
			return 0;
	return 1;
}

/* A child that looks at all pages when it is told to. */
static pid_t fork_to_look(vms_pool *pool, const struct signs *signs, unsigned state)
{
	const pid_t child = fork();

	if (child == 0) {
		child_needs(child_awaits(signs));
		child_needs(child_has_all(pool, state));
		child_needs(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) == 0);
		child_needs(vms_pool_close(pool) == 0);
		_exit(0);
	}
	return child;
}

static void let_it_look(struct signs *signs, pid_t child)
{
	give_sign(signs);
	must_end_well(child);
	drop_signs(signs);
}

static void a_child_has_what_was_there(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = open_both(place, fd);
	struct signs signs[] = { make_signs(), make_signs() };
	struct left_area before, after;
	pid_t children[2];

	children[0] = fork_to_look(pool, &signs[0], 0);
	change_and_flush(pool, 1);
	children[1] = fork_to_look(pool, &signs[1], 1);
	change_and_flush(pool, 2);
	assert_int_equal(host.home_too_early, 0);
	before = copy_area(place);
	for (int i = 0; i < 2; i++)
		let_it_look(&signs[i], children[i]);
	/* They have left the area alone. */
	after = copy_area(place);
	assert_int_equal(after.length, before.length);
	assert_memory_equal(after.bytes, before.bytes, before.length);
	assert_int_equal(pool_stats(pool).pages_saved, 2 * FILE_PAGES);
	free_area(&before);
	free_area(&after);
	close_noted(pool);
	assert_int_equal(close(fd), 0);
}

/*
 * What a write has torn in the file was saved before it; who is forked afterwards has it in
 * memory. Then the parent mends it from the area.
 */
static void a_child_sees_nothing_torn(void **state)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool = open_both(place, fd);
	struct signs signs[] = { make_signs(), make_signs() };
	pid_t earlier, later;

	earlier = fork_to_look(pool, &signs[0], 0);
	change_and_flush(pool, 1);
	for (uint64_t page = 100; page < 110; page++)
		change(pool, page, 1, 0);
	host.home_write = -ENOSPC;
	tear(fd, 100, 7, 1);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), ENOSPC);
	later = fork_to_look(pool, &signs[1], 1);
	host.home_write = 0;
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	assert_int_equal(state_in_file(place->path, 100), 1);
	change_and_flush(pool, 2);
	let_it_look(&signs[0], earlier);
	let_it_look(&signs[1], later);
	close_noted(pool);
	assert_int_equal(close(fd), 0);
}

#define with_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_test(stores_go_to_the_area_first),
		with_test(what_was_stored_is_mended),
		with_test(a_store_that_is_not_written_stays),
		with_test(a_child_has_what_was_there),
		with_test(a_child_sees_nothing_torn),
	};

	catch_signals();
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
