/* SPDX-License-Identifier: MIT */
#include <linux/kcmp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <vmspace/share_lock.h>

#include "share_fixture.h"

/*
 * How a share comes to other processes, many of them, and what is left of one that
 * executes another program. This program is that other one, too:
 *
 * usage: unit-share_processes [attach FD | sleep FD]
 */

#define LONG_NANOSECONDS ((uint64_t)60 * 1000000000u)

/* Whatever becomes of the test, its children end. */
static pid_t fork_bound(void)
{
	const pid_t child = fork();

	if (child == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

/* One end each. */
struct line {
	int ends[2];
};

static struct line must_have_line(void)
{
	struct line line;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line.ends), 0);
	return line;
}

static void hang_up(struct line line)
{
	assert_int_equal(close(line.ends[0]), 0);
	assert_int_equal(close(line.ends[1]), 0);
}

static bool say(int end)
{
	return write(end, "x", 1) == 1;
}

static bool hear(int end)
{
	char byte;

	return read(end, &byte, 1) == 1;
}

/* --- ways ------------------------------------------------------------------------------- */

union rights {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static bool send_descriptor(int end, int fd)
{
	union rights rights = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(fd)),
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char byte = 'x';
	struct iovec place = { &byte, 1 };
	const struct msghdr message = { .msg_iov = &place, .msg_iovlen = 1,
					.msg_control = &rights,
					.msg_controllen = sizeof(rights) };

	memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
	return sendmsg(end, &message, 0) == 1;
}

static int receive_descriptor(int end)
{
	union rights rights;
	char byte;
	struct iovec place = { &byte, 1 };
	struct msghdr message = { .msg_iov = &place, .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
	int fd = -1;

	if (recvmsg(end, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* Attach, write to it, and grow it. */
static int answer_in(int fd)
{
	vms_share *share = vms_share_attach(fd, NULL);

	if (close(fd) != 0 || !share || vms_share_size(share) != 4096)
		return 2;
	strcpy(vms_share_at(share, 0, 6), "there");
	if (vms_share_grow(share, 8192) != 0)
		return 3;
	strcpy(vms_share_at(share, 5000, 6), "again");
	return vms_share_close(share) ? 4 : 0;
}

static void must_have_answer(vms_share *share)
{
	assert_int_equal(vms_share_size(share), 8192);
	assert_string_equal(vms_share_base(share), "there");
	assert_string_equal(vms_share_at(share, 5000, 6), "again");
	worked(vms_share_shrink(share, 0));
	worked(vms_share_close(share));
}

static void comes_over_a_socket(void **state)
{
	const struct line line = must_have_line();
	const pid_t child = fork_bound();
	vms_share *share;

	(void)state;
	if (child == 0)
		_exit(answer_in(receive_descriptor(line.ends[1])));
	share = must_create(4096, 1 << 20);
	assert_true(send_descriptor(line.ends[0], vms_share_fd(share)));
	must_end_well(child);
	must_have_answer(share);
	hang_up(line);
}

static int open_of(pid_t process, int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", process, fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void comes_by_the_name_of_a_descriptor(void **state)
{
	const struct line line = must_have_line();
	const pid_t parent = getpid();
	const pid_t child = fork_bound();
	vms_share *share;
	int fd;

	(void)state;
	if (child == 0) {
		child_needs(read(line.ends[1], &fd, sizeof(fd)) == sizeof(fd));
		_exit(answer_in(open_of(parent, fd)));
	}
	share = must_create(4096, 1 << 20);
	fd = vms_share_fd(share);
	assert_int_equal(write(line.ends[0], &fd, sizeof(fd)), sizeof(fd));
	must_end_well(child);
	must_have_answer(share);
	hang_up(line);
}

static _Noreturn void execute(const char *what, int fd)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", fd);
	(void)execl("/proc/self/exe", "share_processes", what, number, (char *)NULL);
	_exit(9);
}

static void comes_by_inheritance(void **state)
{
	vms_share *share = must_create(4096, 1 << 20);
	const pid_t child = fork();

	(void)state;
	if (child == 0) {
		const int fd = dup(vms_share_fd(share));

		child_needs(vms_share_close(share) == 0);
		execute("attach", fd);
	}
	must_end_well(child);
	must_have_answer(share);
}

/* Its lock is held by the dead, and it uses nothing, though the process lives. */
static void execve_closes_it(void **state)
{
	const struct line line = must_have_line();
	vms_share *share = must_create(4096, 1 << 20);
	vms_share_lock *lock = vms_share_base(share);
	const pid_t child = fork();

	(void)state;
	if (child == 0) {
		const int fd = dup(line.ends[1]);

		child_needs(vms_share_lock_take(share, lock, 0) == 0);
		child_needs(say(fd) && hear(fd));
		execute("sleep", fd);
	}
	assert_true(hear(line.ends[0]));
	refused(vms_share_lock_take(share, lock, 0), ETIMEDOUT);
	refused(vms_share_shrink(share, 100), EBUSY);
	assert_true(say(line.ends[0]));
	/* The other program runs. */
	assert_true(hear(line.ends[0]));
	assert_int_equal(vms_share_lock_take(share, lock, 0), 1);
	worked(vms_share_shrink(share, 100));
	assert_true(say(line.ends[0]));
	must_end_well(child);
	worked(vms_share_close(share));
	hang_up(line);
}

/* --- many ------------------------------------------------------------------------------- */

#define MANY 32
#define TURNS 100

struct shared {
	vms_share_lock lock;
	uint64_t count;
	uint64_t places[MANY * TURNS];
};

static int work_as_one_of_many(int fd, int end)
{
	vms_share *share = vms_share_attach(fd, NULL);
	struct shared *shared;
	uint64_t at;

	/* As long as that is open, this process uses all. */
	if (close(fd) != 0 || !share || !say(end) || !hear(end))
		return 1;
	shared = vms_share_at(share, 0, sizeof(*shared));
	for (int i = 0; i < TURNS; i++) {
		if (vms_share_extend(share, 1000, &at) != 0)
			return 2;
		memset(vms_share_at(share, at, 1000), getpid() % 251 + 1, 1000);
		if (vms_share_lock_take(share, &shared->lock, LONG_NANOSECONDS) != 0)
			return 3;
		shared->places[shared->count++] = at;
		if (vms_share_lock_release(share, &shared->lock) != 0)
			return 4;
	}
	if (!say(end) || !hear(end))
		return 5;
	if (vms_share_use(share, sizeof(*shared)) != 0)
		return 6;
	return say(end) && hear(end) ? 0 : 7;
}

/* Each place that was told is full of one process's bytes, and nobody else's. */
static void must_have_all_places(vms_share *share)
{
	const struct shared *shared = vms_share_base(share);
	const uint64_t first = sizeof(*shared);

	assert_int_equal(shared->count, MANY * TURNS);
	assert_int_equal(vms_share_size(share), first + MANY * TURNS * 1000);
	for (size_t i = 0; i < MANY * TURNS; i++) {
		const char *bytes = vms_share_at(share, shared->places[i], 1000);

		assert_int_equal((shared->places[i] - first) % 1000, 0);
		assert_true(bytes[0] != 0);
		assert_memory_equal(bytes, bytes + 1, 999);
	}
}

static void thirty_two_processes_share_it(void **state)
{
	vms_share *share = must_create(sizeof(struct shared), 8 << 20);
	struct line lines[MANY];
	pid_t children[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		lines[i] = must_have_line();
		children[i] = fork_bound();
		if (children[i] == 0) {
			const int fd = dup(vms_share_fd(share));

			/* What the child of a fork has is an attachment as well. */
			child_needs(vms_share_close(share) == 0);
			_exit(work_as_one_of_many(fd, lines[i].ends[1]));
		}
	}
	for (int step = 0; step < 2; step++) {
		for (int i = 0; i < MANY; i++)
			assert_true(hear(lines[i].ends[0]));
		if (step == 1)
			must_have_all_places(share);
		for (int i = 0; i < MANY - 1; i++)
			assert_true(say(lines[i].ends[0]));
		if (step == 0)
			assert_true(say(lines[MANY - 1].ends[0]));
	}
	for (int i = 0; i < MANY - 1; i++)
		assert_true(hear(lines[i].ends[0]));
	/* The last one has not agreed, and never will. */
	refused(vms_share_shrink(share, sizeof(struct shared)), EBUSY);
	assert_int_equal(kill(children[MANY - 1], SIGKILL), 0);
	assert_int_equal(waitpid(children[MANY - 1], NULL, 0), children[MANY - 1]);
	worked(vms_share_shrink(share, sizeof(struct shared)));
	for (int i = 0; i < MANY; i++) {
		if (i < MANY - 1) {
			assert_true(say(lines[i].ends[0]));
			must_end_well(children[i]);
		}
		hang_up(lines[i]);
	}
	worked(vms_share_close(share));
}

/* --- limits ----------------------------------------------------------------------------- */

/* The file has its length from the first: who makes it is limited, and nobody else. */
static void the_limit_of_files_is_the_maker_s(void **state)
{
	const struct place *place = *state;
	vms_share *shares[2] = {
		must_create(100, 64 << 20),
		vms_share_create(place->path, 100, 64 << 20, NULL),
	};
	struct rlimit before, small;

	assert_non_null(shares[1]);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	refused_null(vms_share_create(NULL, 0, 1 << 20, NULL), EFBIG);
	for (int i = 0; i < 2; i++) {
		vms_share *other = attach_with(vms_share_fd(shares[i]), VMS_SHARE_UNSEALED);

		/* SIGXFSZ would end this process. */
		assert_non_null(other);
		worked(vms_share_grow(other, 4 << 20));
		memset(vms_share_base(other), 'x', 4 << 20);
		worked(vms_share_use(shares[i], 10));
		worked(vms_share_shrink(other, 10));
		worked(vms_share_close(other));
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	for (int i = 0; i < 2; i++)
		worked(vms_share_close(shares[i]));
}

static void so_many_have_locks_and_no_more(void **state)
{
	vms_share *share = must_create(4096, 4096);
	static vms_share *others[VMS_SHARE_OWNERS + 1];
	struct rlimit before, large;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	large = before;
	large.rlim_cur = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &large), 0);
	if (large.rlim_cur < VMS_SHARE_OWNERS + 20)
		skip();
	for (int i = 0; i <= VMS_SHARE_OWNERS; i++) {
		vms_share_lock *lock;

		others[i] = must_attach(share);
		lock = vms_share_base(others[i]);
		if (i == VMS_SHARE_OWNERS)
			refused(vms_share_lock_take(others[i], lock, 0), EAGAIN);
		else
			assert_int_equal(vms_share_lock_take(others[i], lock, 0), 0);
		if (i < VMS_SHARE_OWNERS)
			worked(vms_share_lock_release(others[i], lock));
	}
	/* Events and signals need no owner. */
	worked(vms_share_event_set(others[VMS_SHARE_OWNERS],
				   vms_share_at(others[VMS_SHARE_OWNERS], 64, 4)));
	worked(vms_share_condition_signal(others[VMS_SHARE_OWNERS],
					  vms_share_at(others[VMS_SHARE_OWNERS], 68, 4)));
	worked(vms_share_close(others[7]));
	assert_int_equal(vms_share_lock_take(others[VMS_SHARE_OWNERS],
					     vms_share_base(others[VMS_SHARE_OWNERS]), 0), 0);
	for (int i = 0; i <= VMS_SHARE_OWNERS; i++)
		if (i != 7)
			worked(vms_share_close(others[i]));
	worked(vms_share_close(share));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* --- fork, while another thread opens and closes ------------------------------------------- */

#define FORKS 200

static _Atomic bool is_over;

static void *attach_and_close(void *fd)
{
	while (!is_over) {
		vms_share *share = vms_share_attach(*(const int *)fd, NULL);

		if (!share || vms_share_close(share) != 0)
			return fd;
	}
	return NULL;
}

/* Whether a descriptor's description is that of another process's descriptor, too. */
static bool is_of_both(pid_t process, int fd)
{
	return syscall(SYS_kcmp, process, getpid(), KCMP_FILE, fd, fd) == 0;
}

/*
 * Whether a child has a description of the parent's: of a whole share it gets one of its
 * own.
 */
static bool has_parents(const struct stat *file)
{
	struct stat status;

	for (int fd = 0; fd < 100; fd++)
		if (fstat(fd, &status) == 0 && status.st_ino == file->st_ino &&
		    status.st_dev == file->st_dev && is_of_both(getppid(), fd))
			return true;
	return false;
}

/* A child has none of a share that another thread of its parent was opening or closing. */
static void children_have_no_half_of_a_share(void **state)
{
	vms_share *share = must_create(4096, 1 << 20);
	int fd = vms_share_fd(share);
	struct stat file;
	pthread_t thread;
	void *failed;

	(void)state;
	/* A kernel without CONFIG_KCMP, or a sandbox, does not tell. */
	if (!is_of_both(getpid(), fd))
		skip();
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(pthread_create(&thread, NULL, attach_and_close, &fd), 0);
	for (int i = 0; i < FORKS; i++) {
		const pid_t child = fork();

		if (child == 0)
			_exit(has_parents(&file));
		must_end_well(child);
	}
	is_over = true;
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	worked(vms_share_close(share));
}

static int be_another_program(const char *what, int fd)
{
	if (strcmp(what, "attach") == 0)
		return answer_in(fd);
	return say(fd) && hear(fd) ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_over_a_socket),
		cmocka_unit_test(comes_by_the_name_of_a_descriptor),
		cmocka_unit_test(comes_by_inheritance),
		cmocka_unit_test(execve_closes_it),
		cmocka_unit_test(thirty_two_processes_share_it),
		file_test(the_limit_of_files_is_the_maker_s),
		cmocka_unit_test(so_many_have_locks_and_no_more),
		cmocka_unit_test(children_have_no_half_of_a_share),
	};

	if (argc == 3)
		return be_another_program(argv[1], atoi(argv[2]));
	return cmocka_run_group_tests_name("share_processes", tests, NULL, NULL);
}
