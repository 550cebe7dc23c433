/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/*
 * What was granted. A process counts at most what it has: what it gives back is
 * not told. Before a request is refused the kernel's own figures are read, of
 * the processes first whose count may be too high by most.
 *
 * A call that was let through may not have been made when the figures are read:
 * it counts on top of them (granted.c).
 */

/* The longest wait for calls to be made, in steps. */
#define WAIT_STEP_NS (500l * 1000)
#define WAIT_STEPS 1000

/*
 * The peak is what people set a limit by, so it is of figures that were looked
 * at. A count that passes it is looked into: at once where it is by as much as
 * this, else as often as costs a hundredth of the time at most.
 */
#define PEAK_SLACK(peak) ((peak) / 8 + ((size_t)16 << 20))
#define PEAK_LOOKS_PART 100

uint64_t vmsi_group_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void vmsi_group_set_committed(struct vms_group *group,
			      struct vmsi_process *process, size_t bytes)
{
	group->committed = group->committed - process->committed + bytes;
	process->committed = bytes;
	if (bytes > process->peak)
		process->peak = bytes;
}

/* --- looking ------------------------------------------------------------ */

static void look(struct vms_group *group, struct vmsi_process *process,
		 pid_t thread, struct vmsi_objects *objects)
{
	struct vmsi_measure measure;
	/* Before the figures: what is made in between counts twice, not never. */
	const size_t granted = vmsi_granted_check(process);
	int error = vmsi_measure_process(group, thread, &measure, objects);

	group->looks++;
	/* Its first thread may have ended before the others. */
	if (error == -ESRCH && thread == process->pid && process->pidfd < 0)
		vmsi_process_ended(group, process);
	if (error)
		return;
	process->data_end = measure.data_end;
	process->measured = measure.committed > process->credit ?
		measure.committed - process->credit : 0;
	vmsi_group_set_committed(group, process, process->measured + granted);
}

void vmsi_group_look(struct vms_group *group, struct vmsi_process *process,
		     pid_t thread)
{
	look(group, process, thread, NULL);
}

void vmsi_group_meet_image(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread)
{
	struct vmsi_measure measure;
	struct vmsi_proc_stat stat;

	vmsi_group_note_last(group, process);
	process->new_image = false;
	process->credit = 0;
	process->data_end = 0;
	if (vmsi_proc_read_stat(process->pid, &stat)) {
		process->data_end = stat.heap_start;
		memcpy(process->command, stat.command, sizeof stat.command);
	}
	group->looks++;
	if (vmsi_measure_image(thread, &measure))
		return;
	/* The threads that were granted something are no more. */
	process->granted_count = 0;
	process->measured = measure.committed;
	process->loader_start = measure.loader_start;
	process->loader_end = measure.loader_end;
	vmsi_group_set_committed(group, process, measure.committed);
}

static bool look_at_each(struct vms_group *group, struct vmsi_process *process,
			 void *objects)
{
	look(group, process, process->pid, objects);
	return true;
}

static bool has_loose(struct vms_group *group, struct vmsi_process *process,
		      void *context)
{
	(void)group;
	*(bool *)context = vmsi_granted_has(process, VMSI_GRANTED_LOOSE);
	return !*(bool *)context;
}

static void look_at_all(struct vms_group *group)
{
	struct vmsi_objects objects = { NULL, 0, 0 };
	bool loose = false;
	size_t bytes;

	vmsi_processes_each(group, has_loose, &loose);
	vmsi_tree_discover(group);
	if (!loose)
		vmsi_unborn_drop_all(group);
	vmsi_processes_each(group, look_at_each, &objects);
	bytes = vmsi_objects_bytes(group, &objects);
	vmsi_objects_free(&objects);
	if (loose && bytes < group->shared)
		return;
	group->committed = group->committed - group->shared + bytes;
	group->shared = bytes;
}

/* --- making room -------------------------------------------------------- */

static bool fits(const struct vms_group *group, size_t bytes)
{
	return bytes <= group->options.commit_limit &&
		group->committed <= group->options.commit_limit - bytes;
}

struct doubt {
	struct vmsi_process *process;
	size_t bytes;
};

static bool find_doubt(struct vms_group *group, struct vmsi_process *process,
		       void *context)
{
	struct doubt *most = context;
	size_t bytes = process->committed - process->measured;

	(void)group;
	if (process->committed > process->measured && bytes > most->bytes)
		*most = (struct doubt){ process, bytes };
	return true;
}

static bool has_unmade(struct vms_group *group, struct vmsi_process *process,
		       void *context)
{
	(void)group;
	(void)vmsi_granted_check(process);
	*(bool *)context = process->granted_count > 0;
	return !*(bool *)context;
}

static bool anything_is_unmade(struct vms_group *group)
{
	bool unmade = false;

	vmsi_processes_each(group, has_unmade, &unmade);
	return unmade;
}

static void wait_until_made(struct vms_group *group)
{
	const struct timespec step = { 0, WAIT_STEP_NS };

	for (int i = 0; i < WAIT_STEPS && anything_is_unmade(group); i++)
		nanosleep(&step, NULL);
}

/* One process after the other, until the sum is low enough or all are known. */
static void look_at_doubtful(struct vms_group *group, size_t target)
{
	struct doubt most;

	for (size_t looks = group->process_count;
	     group->committed > target && looks; looks--) {
		most = (struct doubt){ NULL, 0 };
		vmsi_processes_each(group, find_doubt, &most);
		if (!most.process)
			return;
		vmsi_group_look(group, most.process, most.process->pid);
	}
}

static void bring_down(struct vms_group *group, struct vmsi_process *process,
		       pid_t thread, size_t target)
{
	if (group->committed > target)
		vmsi_group_look(group, process, thread);
	look_at_doubtful(group, target);
}

static bool make_room(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, size_t bytes)
{
	if (bytes > group->options.commit_limit)
		return false;
	bring_down(group, process, thread, group->options.commit_limit - bytes);
	return fits(group, bytes);
}

/* Everything is read again, when all that was granted has been made. */
static bool make_sure(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	wait_until_made(group);
	look_at_all(group);
	vmsi_group_look(group, process, thread);
	if (group->committed > group->peak)
		group->peak = group->committed;
	if (request->call == VMS_GROUP_FORK)
		request->bytes = process->committed;
	if (!fits(group, request->bytes))
		request->bytes = vmsi_request_net(thread, request);
	return fits(group, request->bytes);
}

/* --- granting ----------------------------------------------------------- */

static void charge(struct vms_group *group, struct vmsi_process *process,
		   pid_t thread, const struct vmsi_request *request)
{
	if (request->call == VMS_GROUP_FORK) {
		vmsi_unborn_add(group, process->pid, request->bytes, 0);
		vmsi_granted_remember(process, thread, 0, VMSI_GRANTED_LOOSE);
	} else if (request->shared) {
		group->shared += request->bytes;
		group->committed += request->bytes;
		vmsi_granted_remember(process, thread, 0, VMSI_GRANTED_LOOSE);
	} else {
		vmsi_group_set_committed(group, process,
					 process->committed + request->bytes);
		vmsi_granted_remember(process, thread, request->bytes,
				      VMSI_GRANTED_OWN);
	}
	if (request->call == VMS_GROUP_SHMGET)
		group->made_segments = true;
	if (request->call == VMS_GROUP_BRK)
		process->data_end = request->data_end;
}

static bool may_be_charged(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread,
			   struct vmsi_request *request)
{
	switch (group->options.policy) {
	case VMS_COMMIT_ALWAYS:
		return true;
	case VMS_COMMIT_HEURISTIC:
		return request->bytes <= group->options.commit_limit;
	case VMS_COMMIT_STRICT:
		break;
	}
	return fits(group, request->bytes) ||
		make_room(group, process, thread, request->bytes) ||
		make_sure(group, process, thread, request);
}

/* The next look for the peak's sake; this one began then. */
static void put_off_peak_looks(struct vms_group *group, uint64_t begin)
{
	const uint64_t now = vmsi_group_now();

	group->next_peak_look = now + PEAK_LOOKS_PART * (now - begin);
}

/* Before a request is charged that would make a new peak. */
static void note_peak(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, size_t bytes)
{
	const size_t count = group->committed + bytes;
	uint64_t begin;

	if (count <= group->peak)
		return;
	begin = vmsi_group_now();
	if (count - group->peak < PEAK_SLACK(group->peak) &&
	    begin < group->next_peak_look)
		return;
	bring_down(group, process, thread,
		   group->peak > bytes ? group->peak - bytes : 0);
	put_off_peak_looks(group, begin);
	if (group->committed + bytes > group->peak)
		group->peak = group->committed + bytes;
}

/* What was granted last may have been a peak that nothing followed. */
void vmsi_group_note_idle_peak(struct vms_group *group)
{
	const uint64_t begin = vmsi_group_now();

	look_at_doubtful(group, group->peak);
	put_off_peak_looks(group, begin);
	if (group->committed > group->peak)
		group->peak = group->committed;
}

/* By no more than that process may have grown by since it was looked at. */
void vmsi_group_note_last(struct vms_group *group,
			  const struct vmsi_process *process)
{
	size_t doubt = process->committed > process->measured ?
		process->committed - process->measured : 0;

	if (group->committed <= group->peak)
		return;
	if (doubt > group->committed - group->peak)
		doubt = group->committed - group->peak;
	group->peak += doubt;
}

/* Children that lived and asked for nothing, shared objects: all is gone. */
void vmsi_group_settle(struct vms_group *group)
{
	look_at_all(group);
}

bool vmsi_group_grant(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	if (!may_be_charged(group, process, thread, request))
		return false;
	note_peak(group, process, thread, request->bytes);
	charge(group, process, thread, request);
	return true;
}

void vmsi_group_take_back(struct vms_group *group,
			  struct vmsi_process *process, pid_t thread,
			  const struct vmsi_request *request)
{
	vmsi_granted_forget(process, thread);
	if (request->call == VMS_GROUP_FORK) {
		(void)vmsi_unborn_take(group, process->pid);
	} else if (request->shared) {
		group->shared -= request->bytes;
		group->committed -= request->bytes;
	} else {
		vmsi_group_set_committed(group, process, process->committed -
					 request->bytes);
		/* Whether the heap has grown is not known. */
		if (request->call == VMS_GROUP_BRK)
			process->data_end = 0;
	}
}
