/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sys/wait.h>

#include <vmspace/share_lock.h>

#include "host/host.h"
#include "share/layout.h"
#include "share_fixture.h"

/*
 * What others do in the midst of a call: at one of its calls of the host a function of
 * the test comes first, which acts for another process.
 */

static struct vmsi_host_calls host;   /* the real one */
static struct {
	vms_share *share, *other;
	size_t page;
	unsigned calls;
	uint64_t clock;
} run;

struct shared {
	vms_share_lock lock;
	vms_share_event event;
	vms_share_condition condition;
};

static struct shared *shared_in(vms_share *share)
{
	return vms_share_base(share);
}

static int begin(void **state)
{
	(void)state;
	host = vmsi_host;
	memset(&run, 0, sizeof(run));
	run.page = page_bytes();
	run.share = must_create(run.page, 64 * run.page);
	run.other = must_attach(run.share);
	return 0;
}

static int end(void **state)
{
	(void)state;
	vmsi_host = host;
	worked(vms_share_close(run.other));
	worked(vms_share_close(run.share));
	return 0;
}

#define turn_test(function) cmocka_unit_test_setup_teardown(function, begin, end)

/* It goes on while something is waited for, and not else. */
static uint64_t own_clock(void)
{
	return run.clock;
}

/* --- waiting ---------------------------------------------------------------------------- */

static long interrupt_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	(void)word;
	(void)value;
	(void)nanoseconds;
	assert_true(++run.calls < 10000000);
	return -EINTR;
}

/* Signals that come all the time do not hide that an owner is dead. */
static void signals_do_not_hide_a_death(void **state)
{
	(void)state;
	assert_int_equal(vms_share_lock_take(run.other, &shared_in(run.other)->lock, 0), 0);
	worked(vms_share_close(run.other));
	run.other = NULL;
	vmsi_host.futex_wait = interrupt_wait;
	assert_int_equal(vms_share_lock_take(run.share, &shared_in(run.share)->lock,
					     UINT64_MAX), 1);
	assert_true(run.calls > 0);
}

static long release_and_time_out(const void *word, uint32_t value, uint64_t nanoseconds)
{
	(void)word;
	(void)value;
	run.clock += nanoseconds;
	if (run.calls++ == 0)
		worked(vms_share_lock_release(run.other, &shared_in(run.other)->lock));
	return -ETIMEDOUT;
}

/* Who was to be woken may have died: what is free at the end of a wait is taken. */
static void a_lock_that_is_free_in_the_end_is_taken(void **state)
{
	(void)state;
	assert_int_equal(vms_share_lock_take(run.other, &shared_in(run.other)->lock, 0), 0);
	vmsi_host.futex_wait = release_and_time_out;
	vmsi_host.clock = own_clock;
	assert_int_equal(vms_share_lock_take(run.share, &shared_in(run.share)->lock,
					     1000000), 0);
	worked(vms_share_lock_release(run.share, &shared_in(run.share)->lock));
}

static long set_and_reset(const void *word, uint32_t value, uint64_t nanoseconds)
{
	(void)word;
	(void)value;
	(void)nanoseconds;
	assert_int_equal(run.calls++, 0);
	worked(vms_share_event_set(run.other, &shared_in(run.other)->event));
	worked(vms_share_event_reset(run.other, &shared_in(run.other)->event));
	return 0;
}

/* Who was waiting goes on, though the event was reset before it could look. */
static void a_short_event_is_an_event(void **state)
{
	(void)state;
	vmsi_host.futex_wait = set_and_reset;
	worked(vms_share_event_wait(run.share, &shared_in(run.share)->event, UINT64_MAX));
	vmsi_host.futex_wait = host.futex_wait;
	refused(vms_share_event_wait(run.share, &shared_in(run.share)->event, 0), ETIMEDOUT);
	worked(vms_share_event_reset(run.share, &shared_in(run.share)->event));
	refused(vms_share_event_wait(run.share, &shared_in(run.share)->event, 0), ETIMEDOUT);
	worked(vms_share_event_set(run.share, &shared_in(run.share)->event));
	worked(vms_share_event_set(run.share, &shared_in(run.share)->event));
	worked(vms_share_event_wait(run.share, &shared_in(run.share)->event, 0));
}

/* The signaller dies before it wakes anybody. */
static long signal_and_die(const void *word, uint32_t value, uint64_t nanoseconds)
{
	uint32_t *sequence = &shared_in(run.other)->condition.sequence;

	(void)value;
	run.clock += nanoseconds;
	if (word == &shared_in(run.share)->condition)
		(void)__atomic_add_fetch(sequence, 1, __ATOMIC_RELEASE);
	return -ETIMEDOUT;
}

static void a_signal_counts_though_nobody_wakes(void **state)
{
	struct shared *shared = shared_in(run.share);

	(void)state;
	assert_int_equal(vms_share_lock_take(run.share, &shared->lock, 0), 0);
	vmsi_host.futex_wait = signal_and_die;
	vmsi_host.clock = own_clock;
	worked(vms_share_condition_wait(run.share, &shared->condition, &shared->lock,
					1000000));
	worked(vms_share_lock_release(run.share, &shared->lock));
}

/* --- attaching -------------------------------------------------------------------------- */

/* As long as the file has no seals its owner can shorten it, and seal it then. */
static long shorten_and_seal(int fd)
{
	vmsi_host = host;
	assert_int_equal(ftruncate(fd, (off_t)run.page), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return host.seals(fd);
}

static void seals_that_come_too_late_are_seen(void **state)
{
	const struct vmsi_share_head head = {
		.magic = VMSI_SHARE_MAGIC, .version = VMSI_SHARE_VERSION,
		.page = (uint32_t)run.page, .maximum = 4 * run.page };
	const int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(ftruncate(fd, (off_t)(5 * run.page)), 0);
	vmsi_host.seals = shorten_and_seal;
	refused_null(vms_share_attach(fd, NULL), EBADMSG);
	assert_int_equal(close(fd), 0);
}

static const struct place *place;

/* A file system that has no files without a name. */
static long open_with_names(const char *path, int flags, mode_t mode)
{
	return (flags & O_TMPFILE) == O_TMPFILE ? -EOPNOTSUPP :
		host.open_file(path, flags, mode);
}

/* At the first write to the file that has a name, and at each step after that. */
static long attach_too_early(int fd, int mode, uint64_t offset, uint64_t length)
{
	vmsi_host = host;
	if (access(place->path, F_OK) == 0) {
		refused_null(vms_share_attach_path(place->path, NULL), EBADMSG);
		run.calls++;
	}
	vmsi_host.open_file = open_with_names;
	vmsi_host.fallocate = attach_too_early;
	return host.fallocate(fd, mode, offset, length);
}

/* Nobody attaches to a share that does not have its size yet. */
static void a_share_is_complete_or_none(void **state)
{
	vms_share *share, *other;

	assert_int_equal(make_place(state), 0);
	place = *state;
	vmsi_host.open_file = open_with_names;
	vmsi_host.fallocate = attach_too_early;
	share = vms_share_create(place->path, 3 * run.page, 4 * run.page, NULL);
	vmsi_host = host;
	assert_non_null(share);
	assert_int_equal(run.calls, 2);
	other = vms_share_attach_path(place->path, NULL);
	assert_non_null(other);
	assert_int_equal(vms_share_size(other), 3 * run.page);
	worked(vms_share_close(other));
	worked(vms_share_close(share));
	assert_int_equal(drop_place(state), 0);
}

static long take_for_a_hint(uintptr_t address, size_t length, int prot, int flags, int fd,
			    uint64_t offset)
{
	run.calls += (flags & MAP_FIXED_NOREPLACE) != 0;
	return host.mmap(address, length, prot, flags & ~MAP_FIXED_NOREPLACE, fd, offset);
}

/* Old hosts do not know what keeps them from another's addresses. */
static void a_place_that_is_taken_is_left_alone(void **state)
{
	char *taken = vms_share_base(run.other);
	const struct vms_share_options options = {
		.struct_size = sizeof(options), .address = taken };

	(void)state;
	strcpy(taken, "here");
	vmsi_host.mmap = take_for_a_hint;
	refused_null(vms_share_create(NULL, 0, run.page, &options), EEXIST);
	refused_null(vms_share_attach(vms_share_fd(run.share), &options), EEXIST);
	assert_int_equal(run.calls, 2);
	assert_string_equal(taken, "here");
}

/* --- the size --------------------------------------------------------------------------- */

/*
 * What is done while this process has the locks of a share, another process does: here a
 * thread, which has none of them. It fails no assertion, which would end its own stack.
 */
struct turn {
	int (*act)(vms_share *share, uint64_t size);
	uint64_t size;
	int result;
};

static void *take_turn(void *argument)
{
	struct turn *turn = argument;

	turn->result = turn->act(run.other, turn->size);
	return NULL;
}

static void let_other(int (*act)(vms_share *share, uint64_t size), uint64_t size)
{
	struct turn turn = { .act = act, .size = size, .result = -1 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, take_turn, &turn), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(turn.result, 0);
}

static long shrink_before_lock(int fd, int command, struct flock *lock)
{
	if (fd == vms_share_fd(run.share) && lock->l_type == F_RDLCK) {
		vmsi_host = host;
		let_other(vms_share_shrink, run.page);
	}
	return host.file_lock(fd, command, lock);
}

static bool has_memory(vms_share *share)
{
	return stats_of(share).allocated >= vms_share_size(share);
}

/* What another process has just given back is taken again by who grows. */
static void growth_takes_what_a_shrink_has_given_back(void **state)
{
	uint64_t at = 0;

	(void)state;
	worked(vms_share_grow(run.share, 32 * run.page));
	worked(vms_share_use(run.share, run.page));
	worked(vms_share_use(run.other, run.page));
	vmsi_host.file_lock = shrink_before_lock;
	worked(vms_share_grow(run.share, 40 * run.page));
	assert_int_equal(vms_share_size(run.share), 40 * run.page);
	assert_true(has_memory(run.share));
	worked(vms_share_use(run.share, run.page));
	vmsi_host.file_lock = shrink_before_lock;
	worked(vms_share_grow(run.share, 20 * run.page));
	assert_int_equal(vms_share_size(run.share), 20 * run.page);
	assert_true(has_memory(run.share));
	worked(vms_share_use(run.share, run.page));
	vmsi_host.file_lock = shrink_before_lock;
	worked(vms_share_extend(run.share, run.page, &at));
	assert_int_equal(at, run.page);
	assert_int_equal(stats_of(run.share).used, 2 * run.page);
}

/* Others raise the size each time that this process has taken the space. */
static long grow_before_it_tells(int fd, int mode, uint64_t offset, uint64_t length)
{
	const uint64_t size = vms_share_size(run.other);

	vmsi_host.fallocate = host.fallocate;
	if (fd == vms_share_fd(run.share))
		let_other(vms_share_grow, size + 1);
	vmsi_host.fallocate = grow_before_it_tells;
	return host.fallocate(fd, mode, offset, length);
}

static void who_is_always_too_late_gives_up(void **state)
{
	uint64_t at = 0;

	(void)state;
	worked(vms_share_use(run.share, run.page));
	vmsi_host.fallocate = grow_before_it_tells;
	refused(vms_share_extend(run.share, 1, &at), EAGAIN);
	assert_int_equal(at, 0);
	assert_int_equal(stats_of(run.share).used, run.page);
	/* To grow to a size comes to an end, since others raise it as well. */
	worked(vms_share_grow(run.share, vms_share_size(run.share) + 100));
}

/* --- a cgroup --------------------------------------------------------------------------- */

struct file {
	const char *path, *text;
};

static const struct file *files;

/* The files of a machine that the test makes up; others do not exist. */
static long open_made_up(const char *path)
{
	int fd;

	for (const struct file *file = files; file->path; file++) {
		if (strcmp(file->path, path) != 0)
			continue;
		fd = memfd_create("made up", MFD_CLOEXEC);
		assert_int_equal(pwrite(fd, file->text, strlen(file->text), 0),
				 (ssize_t)strlen(file->text));
		return fd;
	}
	return -ENOENT;
}

static int grow_by(uint64_t mebibytes)
{
	const int result = vms_share_grow(run.other, vms_share_size(run.other) +
							     (mebibytes << 20));

	if (result != 0)
		assert_int_equal(errno, ENOMEM);
	return result;
}

#define SECOND "/sys/fs/cgroup/a/b/memory."
#define FIRST "/sys/fs/cgroup/memory/a/memory."
#define MEMORY_WITH_SWAP "MemTotal: 100000 kB\nSwapTotal: 100000 kB\nSwapFree: 8192 kB\n"

static void limits_of_cgroups_are_looked_at(void **state)
{
	static const struct file version_2[] = {
		{ "/proc/self/cgroup", "0::/a/b\n" },
		{ "/proc/meminfo", MEMORY_WITH_SWAP },
		{ SECOND "max", "20971520\n" },
		{ SECOND "current", "16777216\n" },
		{ SECOND "stat", "anon 1\ninactive_file 1048576\nactive_file 1048576\n" },
		{ SECOND "swap.max", "3145728\n" },
		{ SECOND "swap.current", "1048576\n" },
		{ NULL, NULL },
	};
	static const struct file version_2_above[] = {
		{ "/proc/self/cgroup", "0::/a/b\n" },
		{ SECOND "max", "max\n" },
		{ "/sys/fs/cgroup/a/memory.max", "20971520\n" },
		{ "/sys/fs/cgroup/a/memory.current", "16777216\n" },
		{ NULL, NULL },
	};
	static const struct file version_1[] = {
		{ "/proc/self/cgroup", "7:cpu:/\n3:memory:/a\n0::/\n" },
		{ "/proc/meminfo", MEMORY_WITH_SWAP },
		{ FIRST "limit_in_bytes", "20971520\n" },
		{ FIRST "usage_in_bytes", "16777216\n" },
		{ FIRST "memsw.limit_in_bytes", "20971520\n" },
		{ FIRST "memsw.usage_in_bytes", "16777216\n" },
		{ NULL, NULL },
	};
	static const struct file swap_without_limit[] = {
		{ "/proc/self/cgroup", "3:memory:/a\n" },
		{ "/proc/meminfo", MEMORY_WITH_SWAP },
		{ FIRST "limit_in_bytes", "20971520\n" },
		{ FIRST "usage_in_bytes", "16777216\n" },
		{ NULL, NULL },
	};

	(void)state;
	worked(vms_share_close(run.other));
	run.other = must_create(0, (uint64_t)1 << 30);
	vmsi_host.open = open_made_up;
	/* 4 MiB are left, of files 2, in swap 2. */
	files = version_2;
	assert_int_equal(grow_by(9), -1);
	assert_int_equal(grow_by(8), 0);
	files = version_2_above;
	assert_int_equal(grow_by(5), -1);
	assert_int_equal(grow_by(4), 0);
	files = version_1;
	assert_int_equal(grow_by(5), -1);
	assert_int_equal(grow_by(4), 0);
	files = swap_without_limit;
	assert_int_equal(grow_by(13), -1);
	assert_int_equal(grow_by(12), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		turn_test(signals_do_not_hide_a_death),
		turn_test(a_lock_that_is_free_in_the_end_is_taken),
		turn_test(a_short_event_is_an_event),
		turn_test(a_signal_counts_though_nobody_wakes),
		turn_test(seals_that_come_too_late_are_seen),
		turn_test(a_share_is_complete_or_none),
		turn_test(a_place_that_is_taken_is_left_alone),
		turn_test(growth_takes_what_a_shrink_has_given_back),
		turn_test(who_is_always_too_late_gives_up),
		turn_test(limits_of_cgroups_are_looked_at),
	};

	return cmocka_run_group_tests_name("share_turns", tests, NULL, NULL);
}
