/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/tsan.h"
#include "signs_fixture.h"

/* What a process tells others of its spaces. */

static bool tells(int fd, vms_space *of, const char *name)
{
	struct vmsi_sign sign;

	return signs_at(fd, vms_space_base(of), &sign) == 1 &&
		sign.kind == VMSI_SIGN_SPACE &&
		sign.end == sign.start + vms_space_size(of) &&
		strcmp(sign.name, name) == 0;
}

static bool tells_nothing(int fd, const void *start)
{
	struct vmsi_sign sign;

	return signs_at(fd, start, &sign) == 0;
}

/* --- what is told ----------------------------------------------------------- */

static void tell_spaces(void)
{
	vms_space *first, *second;
	struct vmsi_sign sign;
	void *start;
	int fd;

	errno = 77;
	first = open_named("my log\n\033[1m");
	CHECK(first && errno == 77);
	second = open_named(NULL);
	fd = table_after(-1);
	CHECK(fd >= 0 && table_after(fd) == -1);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(tells(fd, first, "my log\n\033[1m"));
	CHECK(tells(fd, second, ""));
	start = vms_space_base(first);
	CHECK(vms_space_close(first) == 0);
	CHECK(tells_nothing(fd, start) && tells(fd, second, ""));
	/* Written, cleared and written: who has read it between notices. */
	CHECK(open_named("again") && read_sign(fd, 0, &sign));
	CHECK(strcmp(sign.name, "again") == 0 && sign.sequence == 6);
}

static void spaces_are_told(void **state)
{
	(void)state;
	in_child(tell_spaces);
}

static enum vmsi_sign_kind kind_at(int fd, const vms_space *of)
{
	struct vmsi_sign sign = { 0 };

	return signs_at(fd, vms_space_base(of), &sign) == 1 ?
		(enum vmsi_sign_kind)sign.kind : VMSI_SIGN_FREE;
}

static void tell_kinds(void)
{
	vms_heap *heap = vms_heap_open(NULL);
	vms_buffer buffer = { 0 };
	int fd = table_after(-1);

	CHECK(heap && vms_buffer_init(&buffer, 1 << 20, NULL) == 0);
	CHECK(kind_at(fd, vms_heap_space(heap)) == VMSI_SIGN_HEAP);
	CHECK(kind_at(fd, vms_space_of(buffer.data)) == VMSI_SIGN_BUFFERS);
}

static void kinds_are_told(void **state)
{
	(void)state;
	in_child(tell_kinds);
}

/* --- what a program notices --------------------------------------------------- */

static void keep_low_descriptors(void)
{
	const int before = dup(0);
	int after;

	close(before);
	CHECK(open_named("x"));
	after = dup(0);
	CHECK(before == after);
	CHECK(table_after(-1) > 64);
}

static void the_lowest_descriptors_stay_the_programs(void **state)
{
	(void)state;
	in_child(keep_low_descriptors);
}

/* A descriptor that the program closed, and which is of another file now. */
static void close_descriptor(void)
{
	vms_space *one = open_named("one");
	const int fd = table_after(-1);
	int status;
	pid_t child;

	CHECK(one && fd >= 0 && dup2(0, fd) == fd);
	CHECK(open_named("two") && vms_space_close(one) == 0);
	child = fork();
	if (child == 0) {
		CHECK(open_named("three"));
		CHECK(fcntl(fd, F_GETFD) >= 0 && table_after(-1) != fd);
		CHECK(table_after(-1) >= 0);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 255);
}

static void another_file_in_its_place_is_left_alone(void **state)
{
	(void)state;
	in_child(close_descriptor);
}

static void seal_table(void)
{
	int fd;

	CHECK(open_named("x"));
	fd = table_after(-1);
	CHECK(ftruncate(fd, 0) == -1 && errno == EPERM);
	CHECK(ftruncate(fd, 1 << 30) == -1 && errno == EPERM);
	CHECK((fcntl(fd, F_GET_SEALS) &
	       (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) ==
	      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	/* Where the kernel can, nobody takes pages out of it. */
	if (fcntl(fd, F_GET_SEALS) & 0x0010)
		CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				4096) == -1 && errno == EPERM);
}

static void nobody_can_make_a_store_fault(void **state)
{
	(void)state;
	in_child(seal_table);
}

static void switch_off(void)
{
	setenv("VMSPACE_NAMES", "off", 1);
	CHECK(open_named("x"));
	CHECK(table_after(-1) == -1);
}

static void the_environment_switches_it_off(void **state)
{
	(void)state;
	in_child(switch_off);
}

/* SIGXFSZ would end the child. */
static void limit_files(void)
{
	const struct rlimit limit = { 4096, 4096 };

	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(open_named("x"));
	CHECK(table_after(-1) == -1);
}

static void limit_descriptors(void)
{
	const struct rlimit limit = { 3, 3 };

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(open_named("x"));
}

static void limits_leave_a_space_unnamed(void **state)
{
	(void)state;
	in_child(limit_files);
	in_child(limit_descriptors);
}

/* --- many ------------------------------------------------------------------- */

#define MANY 500

static void tell_many(void)
{
	static vms_space *all[MANY];
	struct vmsi_sign_head head;
	char name[32];
	int fd;

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "space %d", i);
		all[i] = open_named(name);
		CHECK(all[i]);
	}
	fd = table_after(-1);
	for (int i = 0; i < MANY; i += 50) {
		snprintf(name, sizeof(name), "space %d", i);
		CHECK(tells(fd, all[i], name));
	}
	/* Signs are taken again. */
	for (int i = 0; i < MANY; i++)
		CHECK(vms_space_close(all[i]) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK((all[i] = open_named("again")));
	CHECK(read_head(fd, &head) && head.used == MANY);
	CHECK(tells(fd, all[MANY - 1], "again"));
}

static void many_spaces_are_told(void **state)
{
	(void)state;
	in_child(tell_many);
}

#define TURNS 3000

static atomic_bool ends;

/*
 * ThreadSanitizer does not see the system calls by which addresses of one thread come to
 * the other, and would report a race, so under it they take turns.
 */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *open_and_close(void *name)
{
	for (int i = 0; i < TURNS; i++) {
		vms_space *one;

		CHECK(!VMSI_HAS_TSAN || pthread_mutex_lock(&turn) == 0);
		one = open_named(name);
		CHECK(one && vms_space_close(one) == 0);
		CHECK(!VMSI_HAS_TSAN || pthread_mutex_unlock(&turn) == 0);
	}
	return NULL;
}

/* Three reads, the second of which counts: see src/cli/sight/names.c. */
static void look_at_all(int fd)
{
	for (unsigned i = 0; i < 4; i++) {
		struct vmsi_sign reads[3];

		for (int j = 0; j < 3; j++)
			CHECK(read_sign(fd, i, &reads[j]));
		if (reads[0].sequence % 2 || reads[0].sequence != reads[1].sequence ||
		    reads[1].sequence != reads[2].sequence ||
		    reads[1].kind == VMSI_SIGN_FREE)
			continue;
		CHECK(reads[1].kind == VMSI_SIGN_SPACE);
		CHECK(reads[1].start + (1 << 20) == reads[1].end);
		CHECK(strcmp(reads[1].name, "aaaaaaaaaaaaaaaaaaaaaaaa") == 0 ||
		      strcmp(reads[1].name, "bbbbbbbbbbbb") == 0);
	}
}

static void *look(void *descriptor)
{
	while (!atomic_load(&ends))
		look_at_all(*(int *)descriptor);
	return NULL;
}

static void read_while_written(void)
{
	static char a[] = "aaaaaaaaaaaaaaaaaaaaaaaa", b[] = "bbbbbbbbbbbb";
	pthread_t reader, other;
	int fd;

	CHECK(open_named(a));
	fd = table_after(-1);
	CHECK(pthread_create(&reader, NULL, look, &fd) == 0);
	CHECK(pthread_create(&other, NULL, open_and_close, b) == 0);
	open_and_close(a);
	CHECK(pthread_join(other, NULL) == 0);
	atomic_store(&ends, true);
	CHECK(pthread_join(reader, NULL) == 0);
}

static void what_is_whole_is_true(void **state)
{
	(void)state;
	in_child(read_while_written);
}

/* --- fork ------------------------------------------------------------------- */

/* In a child: the parent's table stays as it is, and one's own has all. */
static void change_in_child(vms_space *inherited, vms_space *closed)
{
	const int parents = table_after(-1);
	const int copy = dup(parents);
	void *const closed_start = vms_space_base(closed);
	struct stat of_parent, own;
	vms_space *mine;
	int fd;

	/* In this order, since a new space may lie where a closed one was. */
	mine = open_named("mine");
	CHECK(mine && vms_space_close(closed) == 0);
	fd = table_after(copy);
	CHECK(fd >= 0 && fstat(copy, &of_parent) == 0 && fstat(fd, &own) == 0);
	CHECK(of_parent.st_ino != own.st_ino);
	/* The one that was inherited is closed: there are the copy and the new one. */
	CHECK(table_after(fd) == -1);
	CHECK(tells(fd, inherited, "stays") && tells(fd, mine, "mine"));
	CHECK(tells_nothing(fd, closed_start));
	CHECK(tells(copy, inherited, "stays") && tells_nothing(copy, vms_space_base(mine)));
}

static void fork_by(bool is_raw)
{
	vms_space *stays = open_named("stays"), *closed = open_named("closed");
	const int fd = table_after(-1);
	pid_t child;
	int status;

	CHECK(stays && closed && fd >= 0);
	child = is_raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
	if (child == 0) {
		change_in_child(stays, closed);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 255);
	CHECK(tells(fd, closed, "closed") && tells(fd, stays, "stays"));
	CHECK(open_named("later") && table_after(fd) == -1);
}

static void fork_with_handlers(void)
{
	fork_by(false);
}

static void fork_raw(void)
{
	fork_by(true);
}

static void a_child_has_a_table_of_its_own(void **state)
{
	(void)state;
	in_child(fork_with_handlers);
	in_child(fork_raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spaces_are_told),
		cmocka_unit_test(kinds_are_told),
		cmocka_unit_test(the_lowest_descriptors_stay_the_programs),
		cmocka_unit_test(another_file_in_its_place_is_left_alone),
		cmocka_unit_test(nobody_can_make_a_store_fault),
		cmocka_unit_test(the_environment_switches_it_off),
		cmocka_unit_test(limits_leave_a_space_unnamed),
		cmocka_unit_test(many_spaces_are_told),
		cmocka_unit_test(what_is_whole_is_true),
		cmocka_unit_test(a_child_has_a_table_of_its_own),
	};

	return cmocka_run_group_tests_name("space_signs", tests, NULL, NULL);
}
