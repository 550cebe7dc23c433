/* SPDX-License-Identifier: MIT */
#include "cli/sight/bounds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "budget/shared.h"
#include "cli/memfds.h"
#ifdef VMSI_WITH_GROUP
#include "cli/supervise/running.h"
#endif
#include "procfs/file.h"
#include "procfs/meminfo.h"
#include "procfs/stat.h"

const char *const vmsi_bound_kinds[VMSI_BOUND_KINDS] = {
	[VMSI_BOUND_BUDGET] = "budget",
	[VMSI_BOUND_GROUP] = "group",
	[VMSI_BOUND_MACHINE] = "machine",
};

struct vmsi_bound_sources {
#ifdef VMSI_WITH_GROUP
	struct vmsi_live_groups groups;
#endif
	struct vmsi_meminfo machine; /* zero where it cannot be read */
	bool is_strict;
};

static int add(struct vmsi_bounds *bounds, const struct vmsi_bound *bound)
{
	struct vmsi_bound *list = vmsi_with_capacity(bounds->list, bounds->count,
						     &bounds->capacity,
						     sizeof(*list));

	if (!list)
		return -ENOMEM;
	bounds->list = list;
	list[bounds->count++] = *bound;
	return 0;
}

/* --- budgets -------------------------------------------------------------- */

#define BUDGETS_MOST 64

struct budget_search {
	struct vmsi_bounds *bounds;
	/* Those that were seen: a process may have several descriptors of one. */
	ino_t seen[BUDGETS_MOST];
	size_t count;
};

static bool is_seen(const struct budget_search *search, ino_t inode)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->seen[i] == inode)
			return true;
	return false;
}

static int look_at_budget(void *context, const struct stat *status, int fd)
{
	struct budget_search *search = context;
	struct vmsi_bound bound = { .kind = VMSI_BOUND_BUDGET, .is_held = true };
	struct vmsi_budget_figures figures;

	if (fd < 0 || search->count == BUDGETS_MOST ||
	    is_seen(search, status->st_ino) || vmsi_budget_read(fd, &figures))
		return 0;
	search->seen[search->count++] = status->st_ino;
	snprintf(bound.name, sizeof(bound.name), "%s", figures.name);
	bound.committed = figures.charged;
	bound.limit = figures.limit;
	return add(search->bounds, &bound);
}

static int add_budgets(struct vmsi_bounds *bounds, pid_t pid)
{
	struct budget_search search = { .bounds = bounds };
	struct vmsi_memfds memfds = {
		.link = vmsi_memfd_link(VMSI_BUDGET_FD_NAME),
		.seen = look_at_budget,
		.context = &search,
	};
	int error = vmsi_memfd_device(&memfds.device);

	if (!error)
		error = vmsi_memfds_look(&memfds, pid);
	return error == -ENOMEM ? error : 0;
}

/* --- groups --------------------------------------------------------------- */

#ifdef VMSI_WITH_GROUP

/* The way up ends, even where processes end meanwhile and their numbers come again. */
#define ANCESTORS_MOST 4096

/* 0: it has none, or has ended. */
static pid_t parent_of(pid_t pid)
{
	struct vmsi_stat figures;
	char text[VMSI_STAT_BYTES];

	return vmsi_process_stat(pid, text, &figures) ? (pid_t)figures.parent : 0;
}

static int add_group(struct vmsi_bounds *bounds,
		     const struct vmsi_control_figures *figures)
{
	struct vmsi_bound bound = {
		.kind = VMSI_BOUND_GROUP,
		.pid = figures->first,
		.committed = figures->committed,
		.limit = figures->limit,
		.is_held = true,
	};

	_Static_assert(sizeof(bound.name) > VMSI_CONTROL_NAME_MAX,
		       "a bound has room for each name");
	snprintf(bound.name, sizeof(bound.name), "%s", figures->name);
	return add(bounds, &bound);
}

/*
 * Whatever runs under a limit is a descendant of its supervisor, which becomes the
 * parent of those whose own parent has ended; and it has no other descendants.
 */
static int add_groups(struct vmsi_bounds *bounds,
		      const struct vmsi_live_groups *groups, pid_t pid)
{
	int error = 0;

	for (int i = 0; i < ANCESTORS_MOST && groups->count && pid > 0 && !error;
	     i++) {
		pid = parent_of(pid);
		for (size_t k = 0; !error && pid && k < groups->count; k++)
			if (groups->list[k].answers &&
			    groups->list[k].supervisor == pid)
				error = add_group(bounds,
						  &groups->list[k].figures);
	}
	return error;
}

#endif

/* --- the machine ---------------------------------------------------------- */

/* Mode 2 of vm.overcommit_memory. */
#define STRICT 2

static void read_machine(struct vmsi_bound_sources *sources)
{
	struct vmsi_host_file file;
	uint64_t mode = 0;

	sources->is_strict =
		vmsi_host_read_number("/proc/sys/vm/overcommit_memory", &mode) &&
		mode == STRICT;
	if (vmsi_host_file_open(&file, "/proc/meminfo"))
		return;
	if (vmsi_meminfo_read(&file.lines, &sources->machine))
		sources->machine = (struct vmsi_meminfo){ 0 };
	vmsi_host_file_close(&file);
}

static int add_machine(struct vmsi_bounds *bounds,
		       const struct vmsi_bound_sources *sources)
{
	const struct vmsi_meminfo *machine = &sources->machine;

	if (!machine->tells_commit)
		return 0;
	return add(bounds, &(struct vmsi_bound){
		.kind = VMSI_BOUND_MACHINE,
		.committed = machine->committed,
		.limit = sources->is_strict ? machine->commit_limit :
					      machine->ram,
		.is_held = sources->is_strict,
	});
}

/* --- all ------------------------------------------------------------------ */

struct vmsi_bound_sources *vmsi_bound_sources_read(void)
{
	struct vmsi_bound_sources *sources = calloc(1, sizeof(*sources));

	if (!sources)
		return NULL;
	read_machine(sources);
#ifdef VMSI_WITH_GROUP
	/* Where sockets cannot be listed, there are no groups that could be asked. */
	if (vmsi_live_find(&sources->groups) == -ENOMEM) {
		vmsi_bound_sources_free(sources);
		return NULL;
	}
#endif
	return sources;
}

void vmsi_bound_sources_free(struct vmsi_bound_sources *sources)
{
	if (!sources)
		return;
#ifdef VMSI_WITH_GROUP
	vmsi_live_free(&sources->groups);
#endif
	free(sources);
}

int vmsi_bounds_read(struct vmsi_bounds *bounds,
		     const struct vmsi_bound_sources *sources, pid_t pid)
{
	int error = add_budgets(bounds, pid);

#ifdef VMSI_WITH_GROUP
	if (!error)
		error = add_groups(bounds, &sources->groups, pid);
#endif
	return error ? error : add_machine(bounds, sources);
}

void vmsi_bounds_free(struct vmsi_bounds *bounds)
{
	free(bounds->list);
	*bounds = (struct vmsi_bounds){ 0 };
}
