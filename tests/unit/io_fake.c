/* SPDX-License-Identifier: MIT */
#include "io_fake.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "host/host.h"
#include "host/uring.h"

#define OPERATIONS 4096

static struct vmsi_uring_calls real;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_plan plan;
static struct fake_counts counts;
static struct vmsi_uring_operation added[OPERATIONS], flying[OPERATIONS];
static unsigned entries, added_count, flying_count, taken;
static unsigned delay;
static bool is_reaped, is_woken;
static uint64_t state;

static unsigned draw(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % below;
}

static bool happens(unsigned of_hundred)
{
	return draw(100) < of_hundred;
}

static int fake_open(struct vmsi_uring *ring, unsigned wanted)
{
	(void)ring;
	if (plan.open_error)
		return plan.open_error;
	pthread_mutex_lock(&lock);
	entries = wanted;
	counts.opened++;
	pthread_mutex_unlock(&lock);
	return 0;
}

static void fake_close(struct vmsi_uring *ring)
{
	(void)ring;
	pthread_mutex_lock(&lock);
	counts.closed++;
	counts.misuses += flying_count != 0 || is_reaped;
	pthread_mutex_unlock(&lock);
}

/* In a child, where another thread of the parent may have had the lock. */
static void fake_forget(struct vmsi_uring *ring)
{
	(void)ring;
}

static bool fake_add(struct vmsi_uring *ring, const struct vmsi_uring_operation *operation)
{
	bool has_place;

	(void)ring;
	pthread_mutex_lock(&lock);
	has_place = added_count < entries;
	if (has_place)
		added[added_count++] = *operation;
	counts.misuses += flying_count + added_count > entries &&
		operation->opcode != VMSI_URING_NOTHING;
	pthread_mutex_unlock(&lock);
	return has_place;
}

static int refusal(void)
{
	static const int errors[] = { -EAGAIN, -EBUSY, -EINTR, 0 };

	if (plan.breaks_after && taken >= plan.breaks_after)
		return plan.break_error;
	return happens(plan.refused) ? errors[draw(4)] : 1;
}

/* What is nothing has ended. */
static void take_off(const struct vmsi_uring_operation *operation)
{
	if (operation->opcode != VMSI_URING_NOTHING) {
		flying[flying_count++] = *operation;
		taken++;
		return;
	}
	is_woken = true;
	counts.wakes++;
}

static int fake_submit(struct vmsi_uring *ring)
{
	unsigned count;
	int result;

	(void)ring;
	pthread_mutex_lock(&lock);
	result = refusal();
	if (result > 0 && added_count) {
		count = 1 + draw(added_count);
		for (unsigned i = 0; i < count; i++)
			take_off(&added[i]);
		memmove(added, added + count, (added_count - count) * sizeof(*added));
		added_count -= count;
		result = (int)count;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

/* One range at most, and of it a part where the plan says so. */
static long carry_out(struct vmsi_uring_operation operation)
{
	static const int later[] = { -EAGAIN, -EINTR, -ECANCELED };
	const bool is_short = happens(plan.shortened);

	counts.operations++;
	if (happens(plan.put_off))
		return later[draw(3)];
	if (happens(plan.failed))
		return -EIO;
	if (operation.opcode == VMSI_URING_SYNC)
		return vmsi_host.fdatasync(operation.fd);
	if (is_short && operation.part_count) {
		operation.buffer = operation.parts->iov_base;
		operation.length = operation.parts->iov_len;
		operation.part_count = 0;
	}
	if (is_short && operation.length > 1)
		operation.length = 1 + draw((unsigned)operation.length - 1);
	if (operation.opcode == VMSI_URING_READ)
		return operation.part_count ?
			vmsi_host.preadv(operation.fd, operation.parts,
					 (int)operation.part_count, operation.offset) :
			vmsi_host.pread(operation.fd, operation.buffer, operation.length,
					operation.offset);
	return operation.part_count ?
		vmsi_host.pwritev(operation.fd, operation.parts,
				  (int)operation.part_count, operation.offset) :
		vmsi_host.pwrite(operation.fd, operation.buffer, operation.length,
				 operation.offset);
}

static unsigned take_results(struct vmsi_uring_result *results, unsigned most)
{
	unsigned count = flying_count ? 1 + draw(flying_count) : 0;

	if (count > most)
		count = most;
	for (unsigned i = 0; i < count; i++) {
		const unsigned chosen = draw(flying_count);

		results[i] = (struct vmsi_uring_result){
			flying[chosen].name, carry_out(flying[chosen]) };
		flying[chosen] = flying[--flying_count];
	}
	return count;
}

/* Whether results are late. Who waits is interrupted at times, as by signals. */
static bool are_late(void)
{
	if (!delay)
		return false;
	if (delay != FAKE_FOR_EVER)
		delay--;
	counts.late++;
	return true;
}

static int fake_reap(struct vmsi_uring *ring, struct vmsi_uring_result *results,
		     unsigned most, bool wait)
{
	int count = 0;

	(void)ring;
	pthread_mutex_lock(&lock);
	counts.misuses += is_reaped;
	is_reaped = true;
	pthread_mutex_unlock(&lock);
	/* Others submit meanwhile. */
	(void)vmsi_host.yield();
	pthread_mutex_lock(&lock);
	if (are_late())
		count = wait ? -EINTR : 0;
	else if (wait && happens(plan.interrupted))
		count = -EINTR;
	else if (wait && happens(plan.wait_failed))
		count = -EFAULT;
	else if ((wait && flying_count) || (!wait && draw(2)))
		count = (int)take_results(results, most);
	counts.misuses += wait && count == 0 && !is_woken;
	is_woken = false;
	is_reaped = false;
	pthread_mutex_unlock(&lock);
	return count;
}

static size_t fake_bytes(const struct vmsi_uring *ring)
{
	(void)ring;
	return vmsi_page_size();
}

void fake_install(const struct fake_plan *new_plan)
{
	real = vmsi_uring;
	plan = *new_plan;
	counts = (struct fake_counts){ 0 };
	added_count = flying_count = taken = delay = 0;
	is_woken = false;
	state = plan.seed * 0x9e3779b97f4a7c15u + 1;
	vmsi_uring = (struct vmsi_uring_calls){
		.open = fake_open,
		.close = fake_close,
		.forget = fake_forget,
		.add = fake_add,
		.submit = fake_submit,
		.reap = fake_reap,
		.bytes = fake_bytes,
	};
}

void fake_remove(void)
{
	vmsi_uring = real;
}

void fake_change(const struct fake_plan *new_plan)
{
	pthread_mutex_lock(&lock);
	plan = *new_plan;
	pthread_mutex_unlock(&lock);
}

void fake_delay(unsigned reaps)
{
	pthread_mutex_lock(&lock);
	delay = reaps;
	pthread_mutex_unlock(&lock);
}

struct fake_counts fake_counts(void)
{
	struct fake_counts now;

	pthread_mutex_lock(&lock);
	now = counts;
	now.flying = flying_count;
	pthread_mutex_unlock(&lock);
	return now;
}
