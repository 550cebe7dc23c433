/* SPDX-License-Identifier: MIT */
#include "settled.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmspace/process.h>

#include "family.h"

/* Pages of the tests' own shared memory, and of a page table's worth. */
#define SLACK ((size_t)256 << 10)

/* --- the caller's descendants --------------------------------------------- */

/* As in /proc/PID/stat; 0: it is gone. */
static char state_of(pid_t pid)
{
	char path[40], text[512], *after_name;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	after_name = fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
	fclose(file);
	return after_name ? after_name[2] : '\0';
}

static size_t committed_by(pid_t pid)
{
	struct vms_mapping_info info = { .struct_size = sizeof info };
	vms_process_maps *maps = vms_process_maps_open(pid);
	size_t sum = 0;

	while (maps && vms_process_maps_next(maps, &info) == 1)
		if (!(info.flags & VMS_MAPPING_SHARED))
			sum += info.committed;
	vms_process_maps_close(maps);
	return sum;
}

static struct descendants count_descendants(pid_t ancestor)
{
	static struct family family;
	struct descendants found = { 0, 0, 0 };

	find_family(ancestor, &family);
	for (size_t i = 0; i < family.count; i++) {
		const pid_t pid = family.list[i];
		const char state = pid == getpid() ? '\0' : state_of(pid);

		found.zombies += state == 'Z';
		if (state == '\0' || state == 'Z' || state == 'X')
			continue;
		found.living++;
		found.committed += committed_by(pid);
	}
	return found;
}

/* In a child, which has descriptors when the supervisor has none left. */
struct descendants descendants(void)
{
	const pid_t parent = getpid();
	struct descendants found, *result;
	pid_t child;

	result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(result, MAP_FAILED);
	child = fork();
	if (child == 0) {
		close_range(STDERR_FILENO + 1, UINT_MAX, 0);
		*result = count_descendants(parent);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	found = *result;
	munmap(result, sizeof *result);
	return found;
}

/* The group is lost, but for its descriptors. */
int clear_up(void **state)
{
	static struct family family;

	(void)state;
	close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	/* Orphans become the caller's children, as of every supervisor. */
	do {
		find_family(getpid(), &family);
		for (size_t i = 0; i < family.count; i++)
			kill(family.list[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	} while (waitpid(-1, NULL, 0) > 0);
	return 0;
}

/* --- asking --------------------------------------------------------------- */

struct asks make_asks(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFD, 0), 0);
	return (struct asks){ ends[0], ends[1] };
}

void let_go_on(struct asks *asks)
{
	close(asks->to);
	close(asks->from);
}

static void ask(const struct asks *asks, size_t bytes)
{
	assert_int_equal(write(asks->to, &bytes, sizeof bytes), sizeof bytes);
}

void expect_right_sum(struct asked *asked, struct asks *asks)
{
	struct vms_group_stats stats;
	struct descendants found;
	size_t sum, left;

	serve_until_said(asked, "settled now\n");
	stats = stats_of(asked->group);
	found = descendants();
	sum = found.committed;
	assert_true(sum < stats.limit);
	left = stats.limit - sum;
	print_message("# %zu KiB by %zu processes; counted %zu KiB, peak %zu "
		      "KiB, %llu refusals\n", sum >> 10, found.living,
		      stats.committed >> 10, stats.committed_peak >> 10,
		      (unsigned long long)stats.refusals);
	ask(asks, left - SLACK);
	serve_until_said(asked, "settled now\nasked ok\n");
	ask(asks, left + SLACK);
	serve_until_said(asked, "asked ok\nasked ENOMEM\n");
}
