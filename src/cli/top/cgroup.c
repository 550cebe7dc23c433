/* SPDX-License-Identifier: MIT */
#include "cli/top/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/command.h"
#include "host/cgroup.h"
#include "procfs/file.h"
#include "text/number.h"
#ifdef VMSI_WITH_BPF
#include "keeper/keeper.h"
#endif

/* The kernel writes as much where a group of version 1 has no limit, or nearly. */
#define NO_LIMIT (UINT64_C(1) << 62)

struct vmsi_top_cgroup {
	char *path;
	uint64_t id; /* of the directory, by which the kernel's limits are known */
};

struct pids {
	uint64_t *list;
	size_t count, capacity;
};

/* --- opening ----------------------------------------------------------------------- */

struct vmsi_top_cgroup *vmsi_top_cgroup_open(const char *path)
{
	struct vmsi_top_cgroup *cgroup = calloc(1, sizeof(*cgroup));
	struct stat status;
	const int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int error = directory < 0 ? errno : 0;

	if (!error && faccessat(directory, "cgroup.procs", R_OK, 0))
		error = errno;
	if (!error && fstat(directory, &status))
		error = errno;
	if (!error && cgroup)
		cgroup->path = strdup(path);
	if (directory >= 0)
		close(directory);
	if (cgroup && cgroup->path) {
		cgroup->id = status.st_ino;
		return cgroup;
	}
	vmsi_complain(path, "no control group can be read there: %s",
		      strerror(error ? error : ENOMEM));
	free(cgroup);
	return NULL;
}

void vmsi_top_cgroup_close(struct vmsi_top_cgroup *cgroup)
{
	if (cgroup)
		free(cgroup->path);
	free(cgroup);
}

/* --- who is in it -------------------------------------------------------------------- */

/* Takes the descriptor. One of another namespace has the number 0 here. */
static int read_pids(int file, struct pids *pids)
{
	FILE *stream = file < 0 ? NULL : fdopen(file, "re");
	char line[32];
	int pid, error = 0;

	if (!stream) {
		if (file >= 0)
			close(file);
		return 0;
	}
	while (!error && fgets(line, sizeof(line), stream)) {
		uint64_t *list = vmsi_with_capacity(pids->list, pids->count,
						    &pids->capacity, sizeof(*list));

		line[strcspn(line, "\n")] = '\0';
		if (!list)
			error = -ENOMEM;
		else
			pids->list = list;
		if (!error && vmsi_parse_int(line, &pid) && pid > 0)
			list[pids->count++] = (uint64_t)pid;
	}
	fclose(stream);
	return error;
}

/* Takes the descriptor of the directory. Groups that are removed meanwhile are none. */
static int read_group(int directory, struct pids *pids)
{
	DIR *stream = directory < 0 ? NULL : fdopendir(directory);
	const struct dirent *entry;
	int error;

	if (!stream) {
		if (directory >= 0)
			close(directory);
		return 0;
	}
	error = read_pids(openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC), pids);
	while (!error && (entry = readdir(stream)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			error = read_group(openat(directory, entry->d_name, O_RDONLY |
						  O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
					   pids);
	closedir(stream);
	return error;
}

static int compare_pids(const void *first, const void *second)
{
	const uint64_t one = *(const uint64_t *)first, other = *(const uint64_t *)second;

	return (one > other) - (one < other);
}

int vmsi_top_cgroup_keep(const struct vmsi_top_cgroup *cgroup,
			 struct vmsi_top_sample *sample)
{
	struct pids pids = { 0 };
	size_t kept = 0;
	const int error = read_group(open(cgroup->path, O_RDONLY | O_DIRECTORY |
					  O_CLOEXEC), &pids);

	if (pids.count)
		qsort(pids.list, pids.count, sizeof(*pids.list), compare_pids);
	for (size_t i = 0; !error && pids.count && i < sample->count; i++)
		if (bsearch(&sample->list[i].id.number, pids.list, pids.count,
			    sizeof(*pids.list), compare_pids))
			sample->list[kept++] = sample->list[i];
	sample->count = kept;
	free(pids.list);
	return error;
}

/* --- its limit ----------------------------------------------------------------------- */

#ifdef VMSI_WITH_BPF
/* There is none for who may not know of them. */
static bool read_kept(const struct vmsi_top_cgroup *cgroup, struct vmsi_top_limit *limit)
{
	static struct vmsi_bpf_group groups[VMSI_BPF_LIMITS];
	const char *step;
	uint64_t lost;
	size_t count;

	if (vmsi_bpf_list(groups, &count, &lost, &step))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (groups[i].id != cgroup->id)
			continue;
		limit->kind = VMSI_TOP_LIMIT_KEPT;
		limit->limit = groups[i].limit;
		limit->committed = groups[i].committed;
		limit->refusals = groups[i].refused;
		return true;
	}
	return false;
}
#else
static bool read_kept(const struct vmsi_top_cgroup *cgroup, struct vmsi_top_limit *limit)
{
	(void)cgroup;
	(void)limit;
	return false;
}
#endif

static bool read_number(const struct vmsi_top_cgroup *cgroup, const char *name,
			uint64_t *number)
{
	char *path;
	bool result;

	if (asprintf(&path, "%s/%s", cgroup->path, name) < 0)
		return false;
	result = vmsi_host_read_number(path, number);
	free(path);
	return result;
}

/* The files of version 2, or of version 1. */
static bool read_memory(const struct vmsi_top_cgroup *cgroup, struct vmsi_top_limit *limit)
{
	limit->kind = VMSI_TOP_LIMIT_MEMORY;
	for (size_t i = 0; i < VMSI_HIERARCHIES; i++)
		if (read_number(cgroup, vmsi_hierarchies[i].limit, &limit->limit) &&
		    read_number(cgroup, vmsi_hierarchies[i].usage, &limit->committed))
			return limit->limit < NO_LIMIT;
	return false;
}

void vmsi_top_cgroup_read(const struct vmsi_top_cgroup *cgroup,
			  struct vmsi_top_limit *limit)
{
	struct stat now;

	*limit = (struct vmsi_top_limit){ .name = cgroup->path };
	limit->has_ended = stat(cgroup->path, &now) != 0 ||
		now.st_ino != cgroup->id;
	limit->is_known = read_kept(cgroup, limit) || read_memory(cgroup, limit);
}
