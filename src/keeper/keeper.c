/* SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#include "keeper/layout.h"
#include "keeper/pins.h"

_Static_assert(VMSI_BPF_LIMITS == VMSI_BPF_GROUPS, "one bit a group");

/* Whoever asks first walks. */
static const struct vmsi_bpf_state unknown = { .word = 1ULL << 39 };

static int read_limit(const struct vmsi_bpf_pins *pins, __u32 slot,
		      struct vmsi_bpf_limit *limit)
{
	return bpf_map_lookup_elem(pins->limits, &slot, limit) ? -errno : 0;
}

static int write_limit(const struct vmsi_bpf_pins *pins, __u32 slot, uint64_t id,
		       uint64_t pages)
{
	const struct vmsi_bpf_limit limit = { .id = id, .pages = pages };

	return bpf_map_update_elem(pins->limits, &slot, &limit, BPF_ANY) ? -errno : 0;
}

/* Have all tasks looked at: those of groups are entered, others taken out. */
static int look(const struct vmsi_bpf_pins *pins)
{
	const int fd = bpf_iter_create(pins->look);
	char nothing[64];
	ssize_t got;

	if (fd < 0)
		return -errno;
	do
		got = read(fd, nothing, sizeof nothing);
	while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
	close(fd);
	return got < 0 ? -errno : 0;
}

static int run(int program, struct vmsi_bpf_count *count)
{
	/* A program of this type answers in what it is given. */
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = count,
		    .ctx_size_in = sizeof *count);

	return bpf_prog_test_run_opts(program, &options) ? -errno : 0;
}

/* The bit of a group in all entries goes before the slot is free for another. */
static int free_slot(const struct vmsi_bpf_pins *pins, __u32 slot)
{
	struct vmsi_bpf_count count = { .group = 1ULL << slot };
	const int error = run(pins->forget, &count);

	return error ? error : write_limit(pins, slot, 0, 0);
}

/* With the last limit all goes away. */
static int remove_if_unused(const struct vmsi_bpf_pins *pins)
{
	struct vmsi_bpf_limit limit = { .id = 0 };
	int error = 0;

	for (__u32 slot = 0; !error && !limit.id && slot < VMSI_BPF_GROUPS; slot++)
		error = read_limit(pins, slot, &limit);
	return error || limit.id ? error : vmsi_bpf_remove();
}

/* Groups whose directories were removed. */
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

static int open_pins(struct vmsi_bpf_pins *pins, enum vmsi_bpf_open how,
		     const char **step)
{
	int error = vmsi_bpf_open(pins, how, step);

	if (error)
		return error;
	*step = "using the pins below " VMSI_BPF_PINS;
	error = free_gone(pins);
	if (error)
		vmsi_bpf_close(pins);
	return error;
}

static int id_of(int directory, uint64_t *id, const char **step)
{
	struct statfs system;
	struct stat status;

	*step = "it is a directory of cgroup v2";
	if (fstatfs(directory, &system) || fstat(directory, &status))
		return -errno;
	*id = status.st_ino;
	return system.f_type == CGROUP2_SUPER_MAGIC && S_ISDIR(status.st_mode) ?
		0 : -ENOTSUP;
}

/* The limit is there before a task can find its slot. */
static int add(const struct vmsi_bpf_pins *pins, uint64_t id, uint64_t pages)
{
	struct vmsi_bpf_limit limit = { .id = 1 };
	__u32 slot = 0;
	int error = 0;

	for (; slot < VMSI_BPF_GROUPS && limit.id; slot++) {
		error = read_limit(pins, slot, &limit);
		if (error)
			return error;
	}
	if (limit.id)
		return -ENOSPC;
	slot--;
	if (bpf_map_update_elem(pins->states, &slot, &unknown, BPF_ANY))
		return -errno;
	error = write_limit(pins, slot, id, pages);
	if (error)
		return error;
	if (bpf_map_update_elem(pins->slots, &id, &slot, BPF_NOEXIST)) {
		error = -errno;
		write_limit(pins, slot, 0, 0);
		return error;
	}
	error = look(pins);
	if (error) {
		bpf_map_delete_elem(pins->slots, &id);
		free_slot(pins, slot);
	}
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
	if (bpf_map_lookup_elem(pins.slots, &id, &slot) == 0)
		error = write_limit(&pins, slot, id, pages);
	else
		error = errno == ENOENT ? add(&pins, id, pages) : -errno;
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
	if (bpf_map_lookup_elem(pins.slots, &id, &slot) ||
	    bpf_map_delete_elem(pins.slots, &id))
		error = -errno;
	if (!error)
		error = free_slot(&pins, slot);
	if (!error)
		error = remove_if_unused(&pins);
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
	if (bpf_map_lookup_elem(pins->states, &slot, &state))
		return -errno;
	error = run(pins->count, &count);
	*group = (struct vmsi_bpf_group){
		.id = limit.id, .limit = limit.pages * page,
		.committed = count.pages * page, .refused = state.refused,
		.forced = state.forced * page };
	*lost = count.lost;
	return error;
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
	if (!error && *count == 0)
		error = vmsi_bpf_remove();
	vmsi_bpf_close(&pins);
	return error;
}
