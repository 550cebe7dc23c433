/* SPDX-License-Identifier: MIT */
#include "ring_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/host.h"
#include "ring_steps.h"

/* --- the ring -------------------------------------------------------------------------- */

struct vmsi_ring_control *control;
struct vms_ring parts[SCHEDULE_THREADS];
uint64_t first_number[SCHEDULE_THREADS];
static char *data;

static bool is_alive(const struct vmsi_mpsc *mpsc, uint32_t owner)
{
	const bool answer = !schedule_is_dead(owner);

	(void)mpsc;
	schedule_note(answer);
	return answer;
}

/* The data twice. */
static void map_memory(void)
{
	const int fd = memfd_create("explorer", 0);
	char *memory = mmap(NULL, 3 * CAPACITY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (fd < 0 || memory == MAP_FAILED || ftruncate(fd, 2 * CAPACITY) != 0 ||
	    mmap(memory, 2 * CAPACITY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 fd, 0) == MAP_FAILED ||
	    mmap(memory + 2 * CAPACITY, CAPACITY, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, CAPACITY) == MAP_FAILED)
		abort();
	control = (struct vmsi_ring_control *)(void *)memory;
	data = memory + CAPACITY;
}

/* Cells of places of a page would be one: these are of a quarter. */
#define PLACE_SHIFT 10

void parts_make(unsigned i, enum vms_ring_kind kind, unsigned flags)
{
	struct vms_ring *ring = &parts[i];

	memset(ring, 0, sizeof(*ring));
	ring->kind = kind;
	ring->flags = flags;
	ring->owner = i;
	ring->shared = (struct vmsi_ring_shared *)(void *)
		((char *)control - offsetof(struct vmsi_ring_shared, control));
	ring->data = data;
	ring->capacity = CAPACITY;
	ring->alignment = 1u << PLACE_SHIFT;
	ring->event_fd = -1;
	ring->spsc = (struct vmsi_spsc){ control, data, CAPACITY };
	ring->broadcast = (struct vmsi_broadcast){ control, data, CAPACITY };
	ring->mpsc = (struct vmsi_mpsc){
		.control = control, .cells = (_Atomic uint64_t *)(void *)(control + 1),
		.data = data, .capacity = CAPACITY, .shift = PLACE_SHIFT,
		.is_alive = is_alive,
	};
	ring->record_most = kind == VMS_RING_SPSC ? CAPACITY - VMSI_SPSC_OVERHEAD :
		kind == VMS_RING_MPSC ? CAPACITY : vmsi_broadcast_most(&ring->broadcast);
	atomic_store(&ring->quick, kind == VMS_RING_SPSC ? flags : 0);
}

void parts_begin(struct vms_ring *ring)
{
	int error = 0;

	if (ring->flags & VMS_RING_PRODUCER)
		error = ring->kind == VMS_RING_SPSC ?
			vmsi_spsc_begin_writing(&ring->spsc, &ring->producer.spsc) :
			ring->kind == VMS_RING_BROADCAST ?
			vmsi_broadcast_begin_writing(&ring->broadcast,
						     &ring->producer.broadcast) : 0;
	else
		error = ring->kind == VMS_RING_SPSC ?
			vmsi_spsc_begin_reading(&ring->spsc, &ring->consumer.spsc) :
			ring->kind == VMS_RING_BROADCAST ?
			vmsi_broadcast_begin_reading(&ring->broadcast,
						     &ring->consumer.broadcast,
						     VMSI_BROADCAST_OLDEST) :
			vmsi_mpsc_begin_reading(&ring->mpsc, &ring->consumer.mpsc);
	if (error)
		schedule_fail("somebody cannot begin");
	first_number[ring - parts] = ring->consumer.broadcast.number;
	if (ring->kind == VMS_RING_MPSC)
		atomic_store(&ring->producer.mpsc_head,
			     vmsi_ring_load(&control->head));
}

/* Who produces at each step of another one; NULL: nobody. */
static struct vms_ring *hurried;

void parts_hurry(struct vms_ring *ring)
{
	hurried = ring;
}

void parts_write(struct vms_ring *ring)
{
	struct vms_ring *before = hurried;

	hurried = NULL;
	if (vms_ring_write(ring, data, 8, VMS_RING_NO_WAIT) != 0)
		abort();
	hurried = before;
}

void explorer_step(const void *word, size_t size)
{
	schedule_step(word, size);
	if (hurried)
		parts_write(hurried);
}

/* --- the host --------------------------------------------------------------------------- */

static long sleep_on(const void *word, uint32_t value, uint64_t nanoseconds)
{
	(void)nanoseconds;
	schedule_step(word, sizeof(value));
	if (*(const uint32_t *)word != value)
		return -EAGAIN;
	return schedule_sleep(word) ? 0 : -ETIMEDOUT;
}

static long wake(const void *word, int count)
{
	(void)count;
	schedule_step(word, sizeof(uint32_t));
	schedule_wake(word);
	return 0;
}

static uint64_t read_clock(void)
{
	schedule_note(schedule_time());
	return schedule_time() * UINT64_C(1000000000);
}

static long yield(void)
{
	return 0;
}

void parts_map(void)
{
	map_memory();
	vmsi_host.futex_wait = sleep_on;
	vmsi_host.futex_wake = wake;
	vmsi_host.clock = read_clock;
	vmsi_host.yield = yield;
}
