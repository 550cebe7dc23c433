/* SPDX-License-Identifier: MIT */
#include "cli/limit/live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/output/json.h"
#include "cli/output/size.h"
#include "cli/output/text.h"
#include "text/size.h"

/* Groups that are named by the path of a control group: the kernel keeps their limits. */

/* How often one that is followed is looked at; the kernel does not tell. */
#define LOOK_NS 250000000L

static enum vmsi_exit complain(const struct vmsi_live_request *request, const char *what)
{
	fprintf(stderr, "%s: ", request->program);
	vmsi_write_escaped(stderr, request->group);
	fprintf(stderr, ": %s\n", what);
	return VMSI_EXIT_FAILED;
}

/* *found has an id of 0 where there is no limit (any more). */
static enum vmsi_exit find(const struct vmsi_live_request *request, uint64_t id,
			   struct vmsi_bpf_group *found)
{
	struct vmsi_kernel_limits limits;
	const enum vmsi_exit result = vmsi_by_kernel_find(request->program, &limits);

	*found = (struct vmsi_bpf_group){ .id = 0 };
	for (size_t i = 0; i < limits.count; i++)
		if (limits.list[i].id == id)
			*found = limits.list[i];
	return result;
}

static enum vmsi_exit find_first(const struct vmsi_live_request *request,
				 struct vmsi_bpf_group *found)
{
	struct stat status;
	enum vmsi_exit result;

	if (stat(request->group, &status))
		return complain(request, strerror(errno));
	result = find(request, status.st_ino, found);
	return result != VMSI_EXIT_OK || found->id ? result :
		complain(request, "it has no limit that the kernel keeps");
}

static enum vmsi_exit write_json(const struct vmsi_live_request *request,
				 const struct vmsi_bpf_group *group)
{
	return vmsi_json_print(vmsi_by_kernel_json(group)) ?
		complain(request, strerror(ENOMEM)) : vmsi_finish_output(request->program);
}

enum vmsi_exit vmsi_live_set_cgroup(const struct vmsi_live_request *request,
				    const char *text)
{
	struct vmsi_bpf_group before, after;
	size_t bytes;
	enum vmsi_exit result;

	if (!vmsi_parse_size(text, VMSI_SIZE_FRACTION, &bytes))
		return vmsi_usage_error(request->program, "'%s' is not a size; "
					"say --set=SIZE DIRECTORY", text);
	result = find_first(request, &before);
	if (result == VMSI_EXIT_OK)
		result = vmsi_by_kernel_set(request->program, request->group, text);
	if (result == VMSI_EXIT_OK)
		result = find(request, before.id, &after);
	if (result != VMSI_EXIT_OK)
		return result;
	if (!after.id)
		return complain(request, "it has gone meanwhile");
	if (request->form == VMSI_LIVE_JSON)
		return write_json(request, &after);
	vmsi_write_escaped(stdout, request->group);
	printf(": %s instead of %s; %s in use\n",
	       vmsi_told_size(after.limit).text,
	       vmsi_told_size(before.limit).text,
	       vmsi_told_size(after.committed).text);
	return vmsi_finish_output(request->program);
}

static bool is_same(const struct vmsi_bpf_group *a, const struct vmsi_bpf_group *b)
{
	return a->id == b->id && a->limit == b->limit && a->committed == b->committed &&
		a->refused == b->refused && a->forced == b->forced;
}

static enum vmsi_exit write_change(const struct vmsi_live_request *request,
				   const struct vmsi_bpf_group *group)
{
	if (request->form == VMSI_LIVE_JSON)
		return write_json(request, group);
	printf("%s of %s in use, %llu refused, %s let through\n",
	       vmsi_told_size(group->committed).text,
	       vmsi_told_size(group->limit).text,
	       (unsigned long long)group->refused,
	       vmsi_told_size(group->forced).text);
	return vmsi_finish_output(request->program);
}

enum vmsi_exit vmsi_live_follow_cgroup(const struct vmsi_live_request *request)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	struct vmsi_bpf_group last = { .id = 0 }, now;
	enum vmsi_exit result = find_first(request, &now);

	while (result == VMSI_EXIT_OK && now.id) {
		if (!is_same(&now, &last))
			result = write_change(request, &now);
		last = now;
		nanosleep(&pause, NULL);
		if (result == VMSI_EXIT_OK)
			result = find(request, last.id, &now);
	}
	return result;
}
