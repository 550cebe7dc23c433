/* SPDX-License-Identifier: MIT */
#include "cli/commit/audit.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vmspace.h>

#include "base/array.h"
#include "cli/commit/commit_read.h"
#include "cli/commit/objects.h"
#include "cli/output/progress.h"
#include "cli/sight/find.h"
#include "procfs/meminfo.h"

static struct vmsi_commit_holder *add_holder(struct vmsi_audit *audit)
{
	struct vmsi_commit_holder *holders =
		vmsi_with_capacity(audit->holders, audit->count, &audit->capacity,
				   sizeof(*holders));

	if (!holders)
		return NULL;
	audit->holders = holders;
	return &holders[audit->count++];
}

/* Of one that may not be looked at the kernel tells what bounds it. */
static void add_hidden(struct vmsi_audit *audit, const struct vmsi_process *process)
{
	audit->hidden++;
	audit->hidden_most += process->status.data + process->status.stack;
}

/* What a child would be charged, and what is not charged now. */
static void add_mapping(struct vmsi_commit_holder *holder,
			const struct vmsi_seen_mapping *mapping)
{
	const uint64_t charged = mapping->figures.of[VMSI_COMMIT];

	if (mapping->flags & VMS_MAPPING_NORESERVE &&
	    !(mapping->flags & VMS_MAPPING_HUGETLB))
		holder->uncharged += mapping->figures.of[VMSI_WRITABLE];
	if (!charged || mapping->flags & VMS_MAPPING_DONTFORK)
		return;
	holder->forked += charged;
	if (holder->largest_forked < charged)
		holder->largest_forked = charged;
}

static int add_process(struct vmsi_audit *audit, struct vmsi_commit_objects *objects,
		       const struct vmsi_process *process)
{
	struct vmsi_commit_holder *holder = add_holder(audit);
	int error;

	if (!holder)
		return -ENOMEM;
	*holder = (struct vmsi_commit_holder){
		.pid = process->pid,
		.committed = process->total.of[VMSI_COMMIT],
		.mappings = process->total.of[VMSI_MAPPINGS],
		.mapped = process->status.mapped,
		.exemption = vmsi_commit_exemption(process->thread,
						   &process->status),
	};
	for (size_t i = 0; i < process->count; i++)
		add_mapping(holder, &process->mappings[i]);
	memcpy(holder->command, process->command, sizeof(holder->command));
	error = vmsi_commit_objects_add_mapped(objects, process);
	return error ? error : vmsi_commit_objects_add_open(objects, process->thread);
}

/* The first process of a namespace is there as long as the namespace is. */
static void look_for_omissions(struct vmsi_audit *audit)
{
	/* That of the kernel's first one: PROC_PID_INIT_INO. */
	static const ino_t first_namespace = 0xeffffffc;
	struct stat status;

	audit->omits_outside = stat("/proc/self/ns/pid", &status) == 0 &&
		status.st_ino != first_namespace;
	audit->omits_others = stat("/proc/1", &status) && errno == ENOENT;
}

/* One that has ended meanwhile has nothing. */
static int look_at(struct vmsi_audit *audit, struct vmsi_commit_objects *objects,
		   pid_t pid)
{
	struct vmsi_process process;
	int error = vmsi_process_see(&process, pid,
				     VMSI_SEE_PAGES | VMSI_SEE_MAPPINGS);

	if (!error)
		error = add_process(audit, objects, &process);
	else if (error == -EACCES || error == -EPERM)
		add_hidden(audit, &process);
	vmsi_process_free(&process);
	return error == -ENOMEM ? error : 0;
}

/* --- memory that several processes have ----------------------------------- */

static int compare(const void *left, const void *right)
{
	const struct vmsi_commit_holder *a = left, *b = right;

	if (a->committed != b->committed)
		return a->committed < b->committed ? 1 : -1;
	if (a->mappings != b->mappings)
		return a->mappings < b->mappings ? 1 : -1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* Whether two have one memory, as vfork(2) and clone(2) make it. */
static bool is_same(const struct vmsi_commit_holder *a,
		    const struct vmsi_commit_holder *b)
{
	return a->committed == b->committed && a->mappings == b->mappings &&
		syscall(SYS_kcmp, a->pid, b->pid, KCMP_VM, 0, 0) == 0;
}

/* Those that are the same have the same figures, and so are next to each other. */
static void unite_holders(struct vmsi_audit *audit)
{
	size_t kept = 0;

	if (audit->count)
		qsort(audit->holders, audit->count, sizeof(*audit->holders), compare);
	for (size_t i = 0; i < audit->count; i++) {
		if (kept && is_same(&audit->holders[kept - 1], &audit->holders[i])) {
			audit->same++;
			continue;
		}
		audit->holders[kept++] = audit->holders[i];
		audit->private_memory += audit->holders[i].committed;
	}
	audit->count = kept;
}

/* --- shared memory -------------------------------------------------------- */

/* What of all shared memory nobody was found to have. */
static uint64_t elsewhere(uint64_t all, uint64_t found)
{
	return all > found ? all - found : 0;
}

static void sum_objects(struct vmsi_audit *audit, struct vmsi_commit_objects *objects,
			uint64_t all_shared)
{
	uint64_t found = vmsi_tmpfs_used();

	audit->shared[VMSI_SHARED_TMPFS] = found;
	vmsi_commit_objects_unite(objects);
	for (size_t i = 0; i < objects->count; i++) {
		audit->shared[objects->list[i].kind] += objects->list[i].charged;
		found += objects->list[i].allocated;
	}
	audit->shared[VMSI_SHARED_ELSEWHERE] = elsewhere(all_shared, found);
}

/* --- all ------------------------------------------------------------------ */

static int look_at_all(struct vmsi_audit *audit, struct vmsi_commit_objects *objects)
{
	struct vmsi_finds finds = { 0 };
	int error = vmsi_finds_add_all(&finds);

	vmsi_progress_begin("processes", finds.count, VMSI_PROCESSES_SHOWN);
	for (size_t i = 0; !error && i < finds.count; i++) {
		error = look_at(audit, objects, finds.list[i].pid);
		vmsi_progress_show(i + 1);
	}
	vmsi_progress_end();
	vmsi_finds_free(&finds);
	return error ? error : vmsi_commit_objects_add_segments(objects);
}

int vmsi_audit_read(struct vmsi_audit *audit)
{
	struct vmsi_commit_objects objects = { 0 };
	struct vmsi_meminfo meminfo;
	int error;

	*audit = (struct vmsi_audit){ 0 };
	look_for_omissions(audit);
	error = vmsi_commit_read_meminfo(&meminfo);
	audit->before = meminfo.committed;
	if (!error)
		error = vmsi_commit_objects_begin(&objects);
	if (!error)
		error = look_at_all(audit, &objects);
	if (!error)
		error = vmsi_commit_read_meminfo(&meminfo);
	if (!error) {
		audit->after = meminfo.committed;
		unite_holders(audit);
		sum_objects(audit, &objects, meminfo.shared);
	}
	vmsi_commit_objects_free(&objects);
	return error;
}

void vmsi_audit_free(struct vmsi_audit *audit)
{
	free(audit->holders);
	*audit = (struct vmsi_audit){ 0 };
}

uint64_t vmsi_audit_explained(const struct vmsi_audit *audit)
{
	uint64_t sum = audit->private_memory;

	for (size_t i = 0; i < VMSI_SHARED_KINDS; i++)
		sum += audit->shared[i];
	return sum;
}
