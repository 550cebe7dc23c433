/* SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"

#include <errno.h>
#include <unistd.h>

#include <linux/magic.h>

#include "keeper/calls.h"
#include "keeper/layout.h"
#include "keeper/pins.h"

_Static_assert(VMSI_BPF_LIMITS == VMSI_BPF_GROUPS, "one bit a group");

static const struct vmsi_bpf_calls *const calls = &vmsi_bpf_calls;

/* Whoever asks first walks. */
static const struct vmsi_bpf_state unknown = { .word = 1ULL << 39 };

static int read_limit(const struct vmsi_bpf_pins *pins, __u32 slot,
		      struct vmsi_bpf_limit *limit)
{
	return calls->lookup(pins->limits, &slot, limit) ? -errno : 0;
}

static int write_limit(const struct vmsi_bpf_pins *pins, __u32 slot, uint64_t id,
		       uint64_t pages)
{
	const struct vmsi_bpf_limit limit = { .id = id, .pages = pages };

	return calls->update(pins->limits, &slot, &limit, BPF_ANY) ? -errno : 0;
}

/* Have all tasks looked at: those of groups are entered, others taken out. */
static int look(const struct vmsi_bpf_pins *pins)
{
	const int fd = calls->create_iterator(pins->look);
	char nothing[64];
	ssize_t got;

	if (fd < 0)
		return -errno;
	do
		got = calls->read(fd, nothing, sizeof nothing);
	while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
	close(fd);
	return got < 0 ? -errno : 0;
}

static int run(int program, struct vmsi_bpf_count *count)
{
	/* A program of this type answers in what it is given. */
	struct bpf_test_run_opts options = { .sz = sizeof options, .ctx_in = count,
		.ctx_size_in = sizeof *count };

	return calls->test_run(program, &options) ? -errno : 0;
}

/* The bit of a group in all entries goes before the slot is free for another. */
static int free_slot(const struct vmsi_bpf_pins *pins, __u32 slot)
{
	struct vmsi_bpf_count count = { .group = 1ULL << slot };
	const int error = run(pins->forget, &count);

	return error ? error : write_limit(pins, slot, 0, 0);
}

/* Groups whose directories were removed, or whose limits were taken away. */
static int free_gone(const struct vmsi_bpf_pins *pins)
{
	struct vmsi_bpf_limit limit;
	int error = 0;

	for (__u32 slot = 0; !error && slot < VMSI_BPF_GROUPS; slot++) {
		error = read_limit(pins, slot, &limit);
		if (!error && limit.id == VMSI_BPF_GONE)
			error = free_slot(pins, slot);
	}
	return error;
}

/*
 * With the last limit all goes away. Where that fails nothing is limited, either, and
 * the next command tries again.
 */
static void remove_if_unused(const struct vmsi_bpf_pins *pins)
{
	struct vmsi_bpf_limit limit = { .id = 0 };
	int error = 0;

	for (__u32 slot = 0; !error && !limit.id && slot < VMSI_BPF_GROUPS; slot++)
		error = read_limit(pins, slot, &limit);
	if (!error && !limit.id)
		vmsi_bpf_remove();
}

/*
 * A group that is marked has no limit from here on. Where its slot cannot be freed now,
 * the next command frees it.
 */
static int take_away(const struct vmsi_bpf_pins *pins, __u32 slot, uint64_t id)
{
	int error;

	if (calls->remove(pins->slots, &id))
		return -errno;
	error = write_limit(pins, slot, VMSI_BPF_GONE, VMSI_BPF_GONE);
	if (error) {
		calls->update(pins->slots, &id, &slot, BPF_NOEXIST);
		return error;
	}
	free_slot(pins, slot);
	return 0;
}

static int open_pins(struct vmsi_bpf_pins *pins, enum vmsi_bpf_open how,
		     const char **step)
{
	int error = vmsi_bpf_open(pins, how, step);

	if (error)
		return error;
	*step = "using the pins below " VMSI_BPF_PINS;
	error = free_gone(pins);
	if (error) {
		remove_if_unused(pins);
		vmsi_bpf_close(pins);
	}
	return error;
}

static int id_of(int directory, uint64_t *id, const char **step)
{
	struct statfs system;
	struct stat status;

	*step = "it is a directory of cgroup v2";
	if (calls->fstatfs(directory, &system) || calls->fstat(directory, &status))
		return -errno;
	*id = status.st_ino;
	return system.f_type == CGROUP2_SUPER_MAGIC && S_ISDIR(status.st_mode) ?
		0 : -ENOTSUP;
}

static int find_free(const struct vmsi_bpf_pins *pins, __u32 *slot)
{
	struct vmsi_bpf_limit limit;

	for (*slot = 0; *slot < VMSI_BPF_GROUPS; ++*slot) {
		const int error = read_limit(pins, *slot, &limit);

		if (error || !limit.id)
			return error;
	}
	return -ENOSPC;
}

/* The limit is there before a task can find its slot. */
static int add(const struct vmsi_bpf_pins *pins, uint64_t id, uint64_t pages)
{
	__u32 slot;
	int error = find_free(pins, &slot);

	if (error)
		return error;
	if (calls->update(pins->states, &slot, &unknown, BPF_ANY))
		return -errno;
	error = write_limit(pins, slot, id, pages);
	if (error)
		return error;
	if (calls->update(pins->slots, &id, &slot, BPF_NOEXIST)) {
		error = -errno;
		write_limit(pins, slot, 0, 0);
		return error;
	}
	error = look(pins);
	if (error)
		take_away(pins, slot, id);
	return error;
}

int vmsi_bpf_set(int directory, uint64_t bytes, const char **step)
{
	const uint64_t pages = bytes / (uint64_t)sysconf(_SC_PAGESIZE);
	struct vmsi_bpf_pins pins;
	uint64_t id;
	__u32 slot;
	int error = id_of(directory, &id, step);

	if (!error)
		error = open_pins(&pins, VMSI_BPF_LOAD, step);
	if (error)
		return error;
	*step = "setting the limit";
	if (calls->lookup(pins.slots, &id, &slot) == 0)
		error = write_limit(&pins, slot, id, pages);
	else
		error = errno == ENOENT ? add(&pins, id, pages) : -errno;
	if (error)
		remove_if_unused(&pins);
	vmsi_bpf_close(&pins);
	return error;
}

int vmsi_bpf_clear(int directory, const char **step)
{
	struct vmsi_bpf_pins pins;
	uint64_t id;
	__u32 slot;
	int error = id_of(directory, &id, step);

	if (!error)
		error = open_pins(&pins, VMSI_BPF_FIND, step);
	if (error)
		return error;
	*step = "taking the limit away";
	error = calls->lookup(pins.slots, &id, &slot) ? -errno :
		take_away(&pins, slot, id);
	if (!error)
		remove_if_unused(&pins);
	vmsi_bpf_close(&pins);
	return error;
}

static int read_group(const struct vmsi_bpf_pins *pins, __u32 slot,
		      struct vmsi_bpf_group *group, uint64_t *lost)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct vmsi_bpf_count count = { .group = 1ULL << slot };
	struct vmsi_bpf_limit limit;
	struct vmsi_bpf_state state;
	int error = read_limit(pins, slot, &limit);

	group->id = 0;
	if (error || !limit.id)
		return error;
	if (calls->lookup(pins->states, &slot, &state))
		return -errno;
	error = run(pins->count, &count);
	if (error)
		return error;
	*group = (struct vmsi_bpf_group){
		.id = limit.id, .limit = limit.pages * page,
		.committed = count.pages * page, .refused = state.refused,
		.forced = state.forced * page };
	*lost = count.lost;
	return 0;
}

int vmsi_bpf_list(struct vmsi_bpf_group groups[VMSI_BPF_LIMITS], size_t *count,
		  uint64_t *lost, const char **step)
{
	struct vmsi_bpf_pins pins;
	int error = open_pins(&pins, VMSI_BPF_FIND, step);

	*count = 0;
	*lost = 0;
	if (error)
		return error == -ENOENT ? 0 : error;
	for (__u32 slot = 0; !error && slot < VMSI_BPF_GROUPS; slot++) {
		error = read_group(&pins, slot, &groups[*count], lost);
		if (!error && groups[*count].id)
			++*count;
	}
	if (!error)
		remove_if_unused(&pins);
	vmsi_bpf_close(&pins);
	return error;
}
