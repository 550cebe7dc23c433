/* SPDX-License-Identifier: MIT */
#include "host/cgroup.h"

#include <string.h>

#include "host/file.h"

const struct vmsi_hierarchy vmsi_hierarchies[VMSI_HIERARCHIES] = {
	{ "/sys/fs/cgroup", "memory.max", "memory.current",
	  "memory.swap.max", "memory.swap.current", false,
	  { "active_file", "inactive_file" } },
	{ "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	  "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes", true,
	  { "total_active_file", "total_inactive_file" } },
};

const char *vmsi_cgroup_file(struct vmsi_cgroup *cgroup, const char *name)
{
	if (cgroup->length + 1 + strlen(name) >= sizeof(cgroup->path))
		return "";
	cgroup->path[cgroup->length] = '/';
	memcpy(cgroup->path + cgroup->length + 1, name, strlen(name) + 1);
	return cgroup->path;
}

/* A line "number:controllers:/path" of /proc/self/cgroup. */
static bool parse(struct vmsi_line *line, struct vmsi_cgroup *cgroup)
{
	const char *end = line->start + line->length;
	const char *controllers = memchr(line->start, ':', line->length);
	const char *path = controllers ?
		memchr(controllers + 1, ':', (size_t)(end - controllers - 1)) : NULL;
	size_t length, root;
	bool second;

	if (line->cut || !path)
		return false;
	second = path == controllers + 1;
	if (!second && !memmem(controllers, (size_t)(path - controllers + 1),
			       ":memory:", 8))
		return false;
	cgroup->hierarchy = &vmsi_hierarchies[second ? 0 : 1];
	root = strlen(cgroup->hierarchy->root);
	length = (size_t)(end - path - 1);
	if (root + length >= sizeof(cgroup->path))
		return false;
	memcpy(cgroup->path, cgroup->hierarchy->root, root);
	memcpy(cgroup->path + root, path + 1, length);
	/* The root's path is "/". */
	cgroup->length = root + (length > 1 ? length : 0);
	return true;
}

/* Returns whether all were visited. */
static bool climb(struct vmsi_cgroup *cgroup,
		  bool (*visit)(struct vmsi_cgroup *cgroup, void *context), void *context)
{
	const size_t root = strlen(cgroup->hierarchy->root);

	for (;;) {
		if (!visit(cgroup, context))
			return false;
		while (cgroup->length > root &&
		       cgroup->path[cgroup->length - 1] != '/')
			cgroup->length--;
		if (cgroup->length <= root)
			return true;
		cgroup->length--;
	}
}

void vmsi_cgroup_each(bool (*visit)(struct vmsi_cgroup *cgroup, void *context),
		      void *context)
{
	struct vmsi_host_file file;
	struct vmsi_line line;
	bool goes_on = true;

	if (vmsi_host_file_open(&file, "/proc/self/cgroup") != 0)
		return;
	for (; goes_on && vmsi_lines_peek(&file.lines, &line) > 0;
	     vmsi_lines_advance(&file.lines, &line)) {
		struct vmsi_cgroup cgroup;

		if (parse(&line, &cgroup))
			goes_on = climb(&cgroup, visit, context);
	}
	vmsi_host_file_close(&file);
}

/* "max", and a cgroup that has no such file, are no limit. */
static bool note_limit(struct vmsi_cgroup *cgroup, void *context)
{
	uint64_t *least = context, limit;

	if (vmsi_host_read_number(vmsi_cgroup_file(cgroup, cgroup->hierarchy->limit),
				  &limit) && limit < *least)
		*least = limit;
	return true;
}

uint64_t vmsi_cgroup_memory(void)
{
	uint64_t least = UINT64_MAX;

	vmsi_cgroup_each(note_limit, &least);
	return least;
}
