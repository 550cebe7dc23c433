/* SPDX-License-Identifier: MIT */
#include "group/objects.h"
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

uint64_t vmsi_group_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int vmsi_group_ms_until(uint64_t moment, int most)
{
	const uint64_t now = vmsi_group_now();

	if (now >= moment)
		return 0;
	return (moment - now) / 1000000 < (uint64_t)most ?
		(int)((moment - now) / 1000000) + 1 : most;
}

void vmsi_group_set_committed(struct vms_group *group,
			      struct vmsi_process *process, size_t bytes)
{
	group->committed = group->committed - process->committed + bytes;
	process->committed = bytes;
	if (bytes > process->peak + process->moving)
		process->peak = bytes - process->moving;
}

/* A process gives up what counts for it, or for who has its memory with it. */
static void uncharge(struct vms_group *group, struct vmsi_process *process,
		     size_t bytes)
{
	struct vmsi_process *counter = vmsi_process_counter(group, process);

	if (bytes > counter->committed)
		bytes = counter->committed;
	vmsi_group_set_committed(group, counter, counter->committed - bytes);
	counter->measured -= bytes < counter->measured ?
		bytes : counter->measured;
}

void vmsi_group_set_moving(struct vms_group *group,
			   struct vmsi_process *process, size_t bytes)
{
	group->moving = group->moving - process->moving + bytes;
	process->moving = bytes;
}

/* --- looking ------------------------------------------------------------ */

static void look(struct vms_group *group, struct vmsi_process *process,
		 pid_t thread, struct vmsi_objects *objects);

/* The first thread may have ended before the others. */
static void look_by_another_thread(struct vms_group *group,
				   struct vmsi_process *process,
				   struct vmsi_objects *objects)
{
	const pid_t thread = vmsi_proc_thread_with_memory(process->pid);

	if (thread > 0 && thread != process->pid)
		look(group, process, thread, objects);
	else if (thread == 0)
		vmsi_group_set_committed(group, process, 0);
}

/* What has been made by one that shares memory is the counter's, at most. */
static void look_at_counter(struct vms_group *group,
			    struct vmsi_process *process,
			    struct vmsi_process *counter, size_t granted,
			    size_t moving)
{
	const size_t unmade = granted + moving;
	const size_t made = process->committed > unmade ?
		process->committed - unmade : 0;

	process->measured = 0;
	vmsi_group_set_moving(group, process, unmade);
	vmsi_group_set_committed(group, process, unmade);
	if (made == 0)
		return;
	vmsi_group_set_committed(group, counter, counter->committed + made);
	look(group, counter, counter->pid, NULL);
}

static void look(struct vms_group *group, struct vmsi_process *process,
		 pid_t thread, struct vmsi_objects *objects)
{
	struct vmsi_process *counter = vmsi_process_counter(group, process);
	struct vmsi_measure measure;
	int error;
	/* Before the figures: what is made in between counts twice, not never. */
	const size_t granted = vmsi_granted_check(process);
	const size_t moving = vmsi_granted_moving(process);

	if (counter != process) {
		look_at_counter(group, process, counter, granted, moving);
		return;
	}
	error = vmsi_measure_process(group, thread, &measure, objects);
	group->looks++;
	if (error == -ESRCH && thread == process->pid) {
		look_by_another_thread(group, process, objects);
		return;
	}
	if (error)
		return;
	/* Who hides does not tell it: the last that was granted stays. */
	if (measure.data_end)
		process->data_end = measure.data_end;
	process->not_copied = measure.not_copied;
	process->stack = measure.stack;
	process->measured = measure.committed > process->credit ?
		measure.committed - process->credit : 0;
	/* A call that may not have been made may as well be in the figures. */
	vmsi_group_set_moving(group, process, granted + moving);
	vmsi_group_set_committed(group, process,
				 process->measured + granted + moving);
}

void vmsi_group_look(struct vms_group *group, struct vmsi_process *process,
		     pid_t thread)
{
	look(group, process, thread, NULL);
}

/* What a program has before it asks for the first time. */
static void count_image(struct vms_group *group, struct vmsi_process *process,
			pid_t thread, const struct vmsi_proc_stat *stat)
{
	struct vmsi_measure measure;

	vmsi_group_note_last(group, process);
	vmsi_process_leave(group, process);
	vmsi_process_bequeath(group, process);
	process->credit = process->stack = 0;
	process->data_end = process->heap_start = stat->heap_start;
	vmsi_breaks_begin(&process->breaks, stat->heap_start);
	memcpy(process->command, stat->command, sizeof stat->command);
	group->looks++;
	if (vmsi_measure_image(thread, &measure))
		return;
	/* The threads that were granted something are no more. */
	process->granted_count = 0;
	vmsi_group_set_moving(group, process, 0);
	process->measured = measure.committed;
	process->stack = measure.stack;
	process->loader_start = measure.loader_start;
	process->loader_end = measure.loader_end;
	vmsi_group_set_committed(group, process, measure.committed);
}

void vmsi_group_meet_image(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread)
{
	struct vmsi_proc_stat stat;

	if (!vmsi_proc_read_stat(process->pid, &stat))
		return;
	/* Without random addresses another program's heap may begin there, too. */
	if (stat.heap_start != process->heap_start ||
	    (process->credit && stat.has_executed))
		count_image(group, process, thread, &stat);
	else if (thread != process->executing)
		/* Of the old program, which is about to end. */
		return;
	process->executing = 0;
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
	*(bool *)context = vmsi_granted_has_loose(process);
	return !*(bool *)context;
}

void vmsi_group_look_at_all(struct vms_group *group)
{
	struct vmsi_objects objects = { NULL, 0, 0 };
	bool loose = false;
	size_t bytes;

	vmsi_processes_each(group, has_loose, &loose);
	vmsi_unborn_settle(group);
	vmsi_processes_each(group, look_at_each, &objects);
	if (loose)
		vmsi_objects_keep(group, &objects);
	bytes = vmsi_objects_bytes(group, &objects);
	vmsi_objects_settle(group, &objects);
	vmsi_objects_free(&objects);
	if (loose && bytes < group->shared)
		return;
	group->committed = group->committed - group->shared + bytes;
	group->shared = bytes;
}

/* --- making room -------------------------------------------------------- */

bool vmsi_group_fits(const struct vms_group *group, size_t bytes)
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

bool vmsi_group_has_unmade(struct vms_group *group)
{
	bool unmade = false;

	vmsi_processes_each(group, has_unmade, &unmade);
	return unmade;
}

static void wait_until_made(struct vms_group *group)
{
	const struct timespec step = { 0, WAIT_STEP_NS };

	for (int i = 0; i < WAIT_STEPS && vmsi_group_has_unmade(group); i++)
		nanosleep(&step, NULL);
}

/* One process after the other, until the sum is low enough or all are known. */
void vmsi_group_look_at_doubtful(struct vms_group *group, size_t target)
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

void vmsi_group_bring_down(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread,
			   size_t target)
{
	if (group->committed > target && group->unborn_count)
		vmsi_unborn_settle(group);
	if (group->committed > target)
		vmsi_group_look(group, process, thread);
	vmsi_group_look_at_doubtful(group, target);
}

static bool make_room(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, size_t bytes)
{
	if (bytes > group->options.commit_limit)
		return false;
	vmsi_group_bring_down(group, process, thread,
			      group->options.commit_limit - bytes);
	return vmsi_group_fits(group, bytes);
}

/* What is charged for a request, at most. */
static size_t charge_for(struct vms_group *group, struct vmsi_process *process,
			 const struct vmsi_request *request)
{
	return request->call == VMS_GROUP_FORK || request->shared ?
		request->bytes :
		vmsi_unborn_with(group, process, request->bytes);
}

/* Everything is read again, when all that was granted has been made. */
static bool make_sure(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	wait_until_made(group);
	vmsi_group_look_at_all(group);
	vmsi_group_raise_peak(group, group->committed);
	if (request->call == VMS_GROUP_FORK)
		request->bytes = vmsi_process_copy(group, process);
	vmsi_request_refresh(group, request);
	if (!vmsi_group_fits(group, charge_for(group, process, request)))
		request->bytes = vmsi_request_net(group, process, thread,
						  request);
	return vmsi_group_fits(group, charge_for(group, process, request));
}

/* --- granting ----------------------------------------------------------- */

/*
 * Of a file in memory, all of its part counts for it, and the private memory that
 * it replaces no more.
 */
static void charge_shared(struct vms_group *group, struct vmsi_process *process,
			  const struct vmsi_request *request)
{
	group->shared += request->bytes + request->replaced;
	group->committed += request->bytes + request->replaced;
	if (request->file.end)
		vmsi_memory_files_count(&group->files, &request->file);
	if (request->replaced)
		uncharge(group, process, request->replaced);
}

static void charge(struct vms_group *group, struct vmsi_process *process,
		   pid_t thread, const struct vmsi_request *request)
{
	size_t own = request->bytes, copied = 0;

	if (request->call == VMS_GROUP_FORK) {
		vmsi_unborn_add(group, process->pid, thread, request->bytes, 0);
		own = 0;
		copied = request->bytes;
	} else if (request->shared) {
		charge_shared(group, process, request);
		own = 0;
	} else {
		vmsi_group_set_committed(group, process,
					 process->committed + request->bytes);
		vmsi_unborn_grow(group, process, request->bytes);
	}
	vmsi_granted_remember(process, group->call, own, request->moved,
			      copied);
	if (request->call == VMS_GROUP_SHMGET)
		group->made_segments = true;
	if (request->call == VMS_GROUP_BRK)
		request->heap->data_end = request->data_end;
}

/* As a single request: of the whole limit. */
static bool is_less_than_it_seems(struct vms_group *group,
				  struct vmsi_process *process, pid_t thread,
				  struct vmsi_request *request)
{
	vmsi_group_look(group, process, thread);
	request->bytes = vmsi_request_net(group, process, thread, request);
	return request->bytes <= group->options.commit_limit;
}

static bool may_be_charged(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread,
			   struct vmsi_request *request)
{
	size_t most;

	switch (group->options.policy) {
	case VMS_COMMIT_ALWAYS:
		return true;
	case VMS_COMMIT_HEURISTIC:
		return request->bytes <= group->options.commit_limit ||
			is_less_than_it_seems(group, process, thread, request);
	case VMS_COMMIT_STRICT:
		break;
	}
	most = charge_for(group, process, request);
	return vmsi_group_fits(group, most) || make_room(group, process, thread, most) ||
		make_sure(group, process, thread, request);
}

void vmsi_group_look_at_files(struct vms_group *group)
{
	const uint64_t begin = vmsi_group_now();

	if (!group->maps_files || begin < group->next_file_look)
		return;
	vmsi_group_look_at_all(group);
	group->next_file_look = vmsi_group_next_look(begin);
	/* A call under way may replace what counts as well. */
	if (vmsi_group_fits(group, 0) || !vmsi_group_has_unmade(group))
		vmsi_group_raise_peak(group, group->committed);
}

static bool look_at_stack(struct vms_group *group, struct vmsi_process *process,
			  void *context)
{
	const size_t stack = vmsi_process_shares(group, process) ? 0 :
		vmsi_proc_stack(process->pid);

	(void)context;
	if (process->stack && stack > process->stack) {
		process->measured += stack - process->stack;
		vmsi_group_set_committed(group, process, process->committed +
					 stack - process->stack);
	}
	if (stack > process->stack)
		process->stack = stack;
	return true;
}

void vmsi_group_look_at_stacks(struct vms_group *group)
{
	const uint64_t begin = vmsi_group_now();

	if (begin < group->next_stack_look)
		return;
	vmsi_processes_each(group, look_at_stack, NULL);
	group->next_stack_look = vmsi_group_next_look(begin);
}

bool vmsi_group_grant(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	if (!may_be_charged(group, process, thread, request))
		return false;
	vmsi_group_note_peak(group, process, thread, request->bytes);
	/* That may have found what nobody asked for, or what is gone. */
	vmsi_request_refresh(group, request);
	if (!may_be_charged(group, process, thread, request))
		return false;
	charge(group, process, thread, request);
	return true;
}

void vmsi_group_take_back(struct vms_group *group,
			  struct vmsi_process *process, pid_t thread,
			  const struct vmsi_request *request)
{
	vmsi_granted_forget(process, thread);
	if (request->call == VMS_GROUP_FORK) {
		vmsi_unborn_drop(group, thread);
	} else if (request->file.end) {
		/* What of the part counted before is not known: looks tell. */
		vmsi_group_set_committed(group, process, process->committed +
					 request->replaced);
	} else if (request->shared) {
		group->shared -= request->bytes;
		group->committed -= request->bytes;
	} else {
		vmsi_group_set_committed(group, process, process->committed -
					 request->bytes);
		/* Whether the heap has grown is not known. */
		if (request->call == VMS_GROUP_BRK)
			request->heap->data_end = 0;
	}
}
