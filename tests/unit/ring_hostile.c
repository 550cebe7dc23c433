/* SPDX-License-Identifier: MIT */
#include "ring/ring.h"
#include "ring_fixture.h"

/*
 * A peer that writes anything into the ring while this process uses it: each call must
 * come back, with pointers that lie in the ring, and after EBADMSG with nothing else.
 *
 * usage: unit-ring_hostile [RINGS [SEED]]
 */

#define CALLS 2000

static unsigned rings = 60;
static uint64_t seed = 11;

static uint64_t random_of(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* --- the peer -------------------------------------------------------------------------------- */

/* What is there and a little more, what is near the limits, or anything. */
static uint64_t nonsense(uint64_t now, uint64_t capacity, uint64_t *state)
{
	const uint64_t choice = random_of(state);

	switch (choice % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX - choice % 4096;
	case 2:
		return now + (choice >> 32) % 4096 * 8;
	case 3:
		return now - (choice >> 32) % 4096 * 8;
	case 4:
		return now ^ (uint64_t)1 << (choice >> 32) % 64;
	case 5:
		return now + capacity;
	case 6:
		return choice >> 32 << 32 | (choice >> 8) % 8;
	default:
		return choice;
	}
}

static _Noreturn void spoil(int fd, uint64_t capacity, uint64_t data_offset, uint64_t state)
{
	const size_t control = offsetof(struct vmsi_ring_shared, control);
	uint64_t patience;
	char *memory = mmap(NULL, data_offset + capacity, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);

	child_needs(memory != MAP_FAILED);
	patience = 1 + random_of(&state) % 32;
	for (;;) {
		const uint64_t choice = random_of(&state);
		size_t offset = choice >> 32;
		_Atomic uint64_t *word;

		/* One is more often a control word, or a cell, than anything else. */
		if (choice % 2)
			offset = control + offset % sizeof(struct vmsi_ring_control);
		else if (choice % 4)
			offset = offset % data_offset;
		else
			offset = offset % (data_offset + capacity);
		word = (_Atomic uint64_t *)(void *)(memory + offset / 8 * 8);
		atomic_store(word, nonsense(atomic_load(word), capacity, &state));
		/* Some time for others, or nothing but the first check is ever met. */
		for (uint64_t i = (choice >> 16) % 4096; i > 0; i--)
			__asm__ volatile("" ::: "memory");
		if (choice % patience == 0)
			(void)usleep(50);
	}
}

/* --- the victim ------------------------------------------------------------------------------ */

static void must_lie_within(const vms_ring *ring, const void *bytes, size_t length)
{
	const uintptr_t offset = (uintptr_t)bytes - (uintptr_t)ring->data;

	assert_true(offset < 2 * ring->capacity);
	assert_true(length <= 2 * ring->capacity - offset);
}

/* Whether a call that failed may fail so; the ring may be broken. */
static void may_fail(vms_ring *ring, bool *broken)
{
	struct vms_ring_record record;

	switch (errno) {
	case EBADMSG:
		*broken = true;
		refused(vms_ring_peek(ring, &record, 1), EBADMSG);
		refused_null(vms_ring_try_claim(ring, 1), EBADMSG);
		return;
	case EAGAIN:
	case ETIMEDOUT:
	case EINVAL:
	case ESTALE:
	case EMSGSIZE:
		return;
	default:
		fail_msg("errno %d", errno);
	}
}

static int produce_some(vms_ring *ring, uint64_t choice)
{
	const size_t length = (choice >> 8) % 500;
	void *data = choice % 8 ? vms_ring_try_claim(ring, length) :
		vms_ring_claim(ring, length, 20000);

	if (!data)
		return -1;
	must_lie_within(ring, data, length);
	memset(data, 0x5a, length);
	if (vms_ring_commit(ring, data, choice % 16 ? length : length / 2) == 0)
		return 0;
	if (errno == EINVAL && ring->kind != VMS_RING_MPSC)
		fail_msg("a claim of a sole producer is lost");
	return -1;
}

static int consume_some(vms_ring *ring, uint64_t choice)
{
	struct vms_ring_record records[16];
	ssize_t count = vms_ring_peek(ring, records, choice / 8 % 16 + 1);
	uint64_t sum = 0;

	for (ssize_t i = 0; i < count; i++) {
		must_lie_within(ring, records[i].data, records[i].length);
		for (size_t k = 0; k < records[i].length; k += 64)
			sum += ((const volatile unsigned char *)records[i].data)[k];
	}
	(void)sum;
	if (count <= 0)
		return (int)count;
	return vms_ring_release(ring, &records[choice / 128 % (uint64_t)count]);
}

static int call_something(vms_ring *ring, uint64_t choice)
{
	char bytes[300] = { 0 };

	switch (choice % 8) {
	case 0:
	case 1:
	case 2:
		return produce_some(ring, choice >> 8);
	case 3:
	case 4:
	case 5:
		return consume_some(ring, choice >> 8);
	case 6:
		return choice & 256 ? vms_ring_wait(ring, 20000) :
			vms_ring_write(ring, bytes, sizeof(bytes), 0);
	default:
		(void)stats_of(ring);
		return vms_ring_read(ring, bytes, sizeof(bytes),
				     choice & 256 ? 20000 : 0) < 0 ? -1 : 0;
	}
}

static unsigned calls;

/* Returns whether the ring was found broken. */
static bool use_a_spoilt_ring(enum vms_ring_kind kind, uint64_t *state)
{
	vms_ring *ring = must_create(kind, 4096u << random_of(state) % 4, BOTH);
	const uint64_t peers = random_of(state);
	bool broken = false;
	pid_t peer = fork();

	if (peer == 0)
		spoil(vms_ring_fd(ring), ring->capacity, ring->data_offset, peers);
	for (unsigned i = 0; i < CALLS && !broken; i++) {
		vms_ring *other;

		calls++;
		if (call_something(ring, random_of(state)) < 0)
			may_fail(ring, &broken);
		if (i % 64 != 0)
			continue;
		other = attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER);
		assert_true(other || errno == EBADMSG || errno == EBUSY ||
			    errno == EPROTONOSUPPORT);
		assert_int_equal(vms_ring_close(other), 0);
	}
	assert_int_equal(kill(peer, SIGKILL), 0);
	must_be_killed(peer);
	must_close(ring);
	return broken;
}

static void a_hostile_peer_breaks_the_ring_alone(void **state)
{
	uint64_t random = seed;
	unsigned broken = 0;

	(void)state;
	for (unsigned i = 0; i < rings; i++)
		broken += use_a_spoilt_ring((enum vms_ring_kind)(i % 3 + 1), &random);
	printf("# %u rings, seed %llu: %u were found broken, after %u calls in all\n", rings,
	       (unsigned long long)seed, broken, calls);
	assert_true(broken > 0);
}

/* --- single words ------------------------------------------------------------------------------ */

/* One word is wrong and stays so; who needs it says so at once. */
static void a_head_that_is_too_far_is_found(void **state)
{
	struct vms_ring_record record;

	(void)state;
	for (enum vms_ring_kind kind = VMS_RING_SPSC; kind <= VMS_RING_MPSC; kind++) {
		vms_ring *ring = must_create(kind, 4096, BOTH);

		while (put(ring, 1, 100))
			;
		atomic_store(&ring->shared->control.head, 4096 * 20);
		refused_null(vms_ring_try_claim(ring, 1000), EBADMSG);
		refused(vms_ring_peek(ring, &record, 1), EBADMSG);
		refused(vms_ring_wait(ring, VMS_RING_FOREVER), EBADMSG);
		refused(vms_ring_write(ring, "x", 1, VMS_RING_FOREVER), EBADMSG);
		refused(vms_ring_read(ring, &record, 1, VMS_RING_FOREVER), EBADMSG);
		must_close(ring);
	}
}

static void a_length_that_is_too_large_is_found(void **state)
{
	struct vms_ring_record record;

	(void)state;
	for (enum vms_ring_kind kind = VMS_RING_SPSC; kind <= VMS_RING_BROADCAST; kind++) {
		vms_ring *ring = must_create(kind, 4096, BOTH);

		assert_true(put(ring, 1, 10));
		if (kind == VMS_RING_MPSC)
			atomic_store(&ring->mpsc.cells[0], UINT64_MAX << 32 |
				     1 << VMSI_CELL_STATE_BITS | VMSI_CELL_COMMITTED);
		else
			atomic_store((_Atomic uint64_t *)(void *)ring->data, UINT64_MAX - 7);
		refused(vms_ring_peek(ring, &record, 1), EBADMSG);
		refused(vms_ring_release(ring, &record), EBADMSG);
		must_close(ring);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hostile_peer_breaks_the_ring_alone),
		cmocka_unit_test(a_head_that_is_too_far_is_found),
		cmocka_unit_test(a_length_that_is_too_large_is_found),
	};

	if (argc > 1)
		rings = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests_name("ring_hostile", tests, NULL, NULL);
}
