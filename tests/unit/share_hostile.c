/* SPDX-License-Identifier: MIT */
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <vmspace/share_lock.h>

#include "share/layout.h"
#include "share_fixture.h"

/*
 * Peers that write anything into a share's head and into what lies in it, and do
 * anything with its descriptor, while this process uses it: each call comes back in
 * time, with one of its errors or with an address that can be touched.
 *
 * usage: unit-share_hostile [SHARES [SEED]]
 */

#define CALLS 3000
#define PAGES_MOST 64
#define PEERS 2

static unsigned shares = 10;
static uint64_t seed = 11;

struct shared {
	vms_share_lock lock;
	vms_share_event event;
	vms_share_condition condition;
};

static uint64_t random_of(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* --- the peer -------------------------------------------------------------------------------- */

/* What is there and a little more, what is near the limits, or anything. */
static uint64_t nonsense(uint64_t now, uint64_t choice)
{
	switch (choice % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX - (choice >> 32) % 4096;
	case 2:
		return now + (choice >> 32) % 8192;
	case 3:
		return now - (choice >> 32) % 8192;
	case 4:
		return now ^ (uint64_t)1 << (choice >> 32) % 64;
	case 5:
		return (choice >> 32) % (PAGES_MOST * page_bytes() + 2);
	case 6:
		/* Owners that might be. */
		return (choice >> 32) % 4 << 21 | (choice >> 40) % 64 |
			(choice >> 50) % 2 << 31;
	default:
		return choice;
	}
}

static size_t choose_word(uint64_t choice)
{
	const size_t page = page_bytes();

	switch (choice % 8) {
	case 0:
	case 1:
	case 2:
		return offsetof(struct vmsi_share_head, size);
	case 3:
		return offsetof(struct vmsi_share_head, generations) +
			(choice >> 8) % 8 * sizeof(uint32_t);
	case 4:
		return (choice >> 8) % sizeof(struct vmsi_share_head) / 4 * 4;
	default:
		return page + (choice >> 8) % sizeof(struct shared) / 4 * 4;
	}
}

static void write_word(char *memory, uint64_t choice, uint64_t value)
{
	const size_t offset = choose_word(choice);
	void *word = memory + offset;

	/* Each word is as wide as the library has it. */
	if (offset % 8 == 0 && offset <= offsetof(struct vmsi_share_head, size))
		__atomic_store_n((uint64_t *)word,
				 nonsense(*(volatile uint64_t *)word, value),
				 __ATOMIC_RELEASE);
	else
		__atomic_store_n((uint32_t *)word,
				 (uint32_t)nonsense(*(volatile uint32_t *)word, value),
				 __ATOMIC_RELEASE);
}

/* Locks of the kernel, on what the library locks; they come and go. */
static void lock_something(int fd, uint64_t choice)
{
	static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK, F_UNLCK };
	const off_t starts[] = {
		(off_t)1 << 62, ((off_t)1 << 62) - 1, INT64_MAX - VMS_SHARE_OWNERS,
		(off_t)(((uint64_t)1 << 62) + (choice >> 16) % (PAGES_MOST * page_bytes())),
	};
	struct flock range = {
		.l_type = types[choice % 4], .l_whence = SEEK_SET,
		.l_start = starts[choice / 4 % 4],
		.l_len = (off_t)((choice >> 8) % (choice % 32 ? 3 : 1 << 20)),
	};

	(void)fcntl(fd, F_OFD_SETLK, &range);
}

static void call_something(int fd, char *memory, uint64_t choice)
{
	const size_t page = page_bytes();

	switch (choice % 8) {
	case 0:
		(void)!ftruncate(fd, (off_t)((choice >> 8) % page));
		return;
	case 1:
		(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)((choice >> 8) % PAGES_MOST * page),
				(off_t)((choice >> 20) % PAGES_MOST * page + 1));
		return;
	case 2:
		(void)syscall(SYS_futex, memory + page + (choice >> 8) % 4 * 4, FUTEX_WAKE,
			      1 << 20, NULL, NULL, 0);
		return;
	default:
		lock_something(fd, choice >> 8);
	}
}

static _Noreturn void spoil(int shared_fd, uint64_t state)
{
	char path[64];
	uint64_t patience = 1 + random_of(&state) % 32;
	char *memory;
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", shared_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	memory = mmap(NULL, (1 + PAGES_MOST) * page_bytes(), PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0);
	child_needs(memory != MAP_FAILED);
	for (;;) {
		const uint64_t choice = random_of(&state);

		write_word(memory, choice, random_of(&state));
		if (choice % 64 == 1)
			call_something(fd, memory, random_of(&state));
		/* Some time for others, or nothing but the first check is ever met. */
		for (uint64_t i = (choice >> 16) % 4096; i > 0; i--)
			__asm__ volatile("" ::: "memory");
		if (choice % patience == 0)
			(void)usleep(50);
	}
}

/* --- the victim ------------------------------------------------------------------------------ */

static void must_be_touchable(vms_share *share, char *bytes, uint64_t length)
{
	const uint64_t offset = (uint64_t)(bytes - (char *)vms_share_base(share));

	assert_true(offset <= PAGES_MOST * page_bytes());
	assert_true(length <= PAGES_MOST * page_bytes() - offset);
	for (uint64_t i = 0; i < length; i += 500)
		((volatile char *)bytes)[i]++;
	if (length)
		((volatile char *)bytes)[length - 1]++;
}

/* Not what is the lock, so that it has something to do. */
static int touch(vms_share *share, uint64_t choice)
{
	const uint64_t length = choice % 3 ? (choice >> 8) % 10000 : choice >> 4;
	const uint64_t offset = choice % 5 ? 64 + (choice >> 24) % 200000 : ~(choice >> 30);
	char *bytes = vms_share_at(share, offset, length);

	if (bytes)
		must_be_touchable(share, bytes, length);
	return bytes ? 0 : -1;
}

static int change_size(vms_share *share, uint64_t choice)
{
	const uint64_t size = 64 + (choice >> 8) % (PAGES_MOST * page_bytes());
	uint64_t offset;
	int result;

	switch (choice % 4) {
	case 0:
		return vms_share_grow(share, size);
	case 1:
		result = vms_share_extend(share, 1 + size % 5000, &offset);
		if (result == 0) {
			assert_true(offset < PAGES_MOST * page_bytes());
			assert_true(1 + size % 5000 <= PAGES_MOST * page_bytes() - offset);
		}
		return result;
	case 2:
		return vms_share_use(share, choice & 256 ? UINT64_MAX : size);
	default:
		return vms_share_shrink(share, size);
	}
}

static int attach(vms_share *share, uint64_t choice)
{
	vms_share *other = attach_with(vms_share_fd(share),
				       choice % 2 ? VMS_SHARE_READ_ONLY : 0);
	const int error = errno;

	if (!other)
		return -1;
	assert_int_equal(vms_share_maximum(other), PAGES_MOST * page_bytes());
	assert_true(vms_share_size(other) <= vms_share_maximum(other));
	assert_int_equal(vms_share_close(other), 0);
	errno = error;
	return 0;
}

static int lock(vms_share *share, struct shared *shared, uint64_t choice)
{
	const int taken = vms_share_lock_take(share, &shared->lock, choice % 200000);

	if (taken < 0)
		return -1;
	if (choice % 1024 == 7)
		(void)vms_share_condition_wait(share, &shared->condition, &shared->lock,
					       choice % 100000);
	if (taken == 1 && vms_share_lock_recovered(share, &shared->lock) != 0)
		return -1;
	return vms_share_lock_release(share, &shared->lock);
}

static int wait_or_wake(vms_share *share, struct shared *shared, uint64_t choice)
{
	switch (choice % 4) {
	case 0:
		return vms_share_event_set(share, &shared->event);
	case 1:
		return vms_share_event_reset(share, &shared->event);
	case 2:
		return vms_share_event_wait(share, &shared->event, choice % 100000);
	default:
		return vms_share_condition_broadcast(share, &shared->condition);
	}
}

static int use_something(vms_share *share, uint64_t choice)
{
	struct shared *shared = vms_share_base(share);

	switch (choice % 8) {
	case 0:
	case 1:
		return touch(share, choice >> 8);
	case 2:
	case 3:
		return change_size(share, choice >> 8);
	case 4:
		return attach(share, choice >> 8);
	case 5:
	case 6:
		return lock(share, shared, choice >> 8);
	default:
		return wait_or_wake(share, shared, choice >> 8);
	}
}

static bool may_fail_so(int error)
{
	static const int errors[] = { EAGAIN, EBADMSG, EBUSY, EEXIST, EFBIG, EINVAL, ENOMEM,
				      ENOTRECOVERABLE, EPERM, EPROTONOSUPPORT, ERANGE,
				      ETIMEDOUT };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

static unsigned calls, failures;

static void use_a_spoilt_share(uint64_t *state)
{
	vms_share *share = must_create(page_bytes(), PAGES_MOST * page_bytes());
	const int fd = vms_share_fd(share);
	pid_t peers[PEERS];

	for (int i = 0; i < PEERS; i++) {
		const uint64_t peer = random_of(state);

		peers[i] = fork();
		if (peers[i] == 0)
			spoil(fd, peer);
	}
	for (unsigned i = 0; i < CALLS; i++, calls++) {
		const uint64_t choice = random_of(state);

		/* SIGALRM ends this process: a call has not come back. */
		(void)alarm(60);
		if (use_something(share, choice) == 0)
			continue;
		failures++;
		if (!may_fail_so(errno))
			fail_msg("choice %llx: errno %d", (unsigned long long)choice, errno);
		assert_true(vms_share_size(share) <= vms_share_maximum(share));
	}
	(void)alarm(0);
	for (int i = 0; i < PEERS; i++) {
		int status;

		assert_int_equal(kill(peers[i], SIGKILL), 0);
		assert_int_equal(waitpid(peers[i], &status, 0), peers[i]);
		assert_true(WIFSIGNALED(status));
	}
	worked(vms_share_close(share));
}

static void hostile_peers_destroy_contents_alone(void **state)
{
	uint64_t random = seed;

	(void)state;
	for (unsigned i = 0; i < shares; i++)
		use_a_spoilt_share(&random);
	printf("# %u shares, seed %llu: %u calls, of which %u failed\n", shares,
	       (unsigned long long)seed, calls, failures);
	assert_true(failures > 0 && failures < calls);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_peers_destroy_contents_alone),
	};

	if (argc > 1)
		shares = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests_name("share_hostile", tests, NULL, NULL);
}
