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
		vmsi_account_emptied(&group->account, &process->account);
}

static void look(struct vms_group *group, struct vmsi_process *process,
		 pid_t thread, struct vmsi_objects *objects)
{
	struct vmsi_process *counter = vmsi_process_counter(group, process);
	struct vmsi_measure measure;
	int error;

	/* Before the figures: what is made in between counts twice, not never. */
	vmsi_granted_check(group, process);
	if (counter != process) {
		/* What was made by one that shares memory is the counter's. */
		if (vmsi_account_hand_over(&group->account, &process->account,
					   &counter->account))
			look(group, counter, counter->pid, NULL);
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
	vmsi_account_measured(&group->account, &process->account,
			      measure.committed);
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

	vmsi_account_note_last(&group->account, &process->account);
	vmsi_process_leave(group, process);
	vmsi_process_bequeath(group, process);
	vmsi_account_executes(&group->account, &process->account);
	process->stack = 0;
	process->data_end = process->heap_start = stat->heap_start;
	vmsi_breaks_begin(&process->breaks, stat->heap_start);
	memcpy(process->command, stat->command, sizeof stat->command);
	group->looks++;
	if (vmsi_measure_image(thread, &measure))
		return;
	process->stack = measure.stack;
	process->loader_start = measure.loader_start;
	process->loader_end = measure.loader_end;
	vmsi_account_measured(&group->account, &process->account,
			      measure.committed);
}

void vmsi_group_meet_image(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread)
{
	struct vmsi_proc_stat stat;

	if (!vmsi_proc_read_stat(process->pid, &stat))
		return;
	/* Without random addresses another program's heap may begin there, too. */
	if (stat.heap_start != process->heap_start ||
	    (process->account.credit && stat.has_executed))
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

void vmsi_group_look_at_all(struct vms_group *group)
{
	struct vmsi_objects objects = { NULL, 0, 0 };
	const bool loose = vmsi_account_has_loose(&group->account);
	size_t bytes;

	vmsi_unborn_settle(group);
	vmsi_processes_each(group, look_at_each, &objects);
	if (loose)
		vmsi_objects_keep(group, &objects);
	bytes = vmsi_objects_bytes(group, &objects);
	vmsi_objects_settle(group, &objects);
	vmsi_objects_free(&objects);
	vmsi_account_measured_objects(&group->account, bytes, loose);
}

/* --- making room -------------------------------------------------------- */

struct doubt {
	struct vmsi_process *process;
	size_t bytes;
};

static bool find_doubt(struct vms_group *group, struct vmsi_process *process,
		       void *context)
{
	struct doubt *most = context;
	const size_t bytes = vmsi_account_doubt(&process->account);

	(void)group;
	if (bytes > most->bytes)
		*most = (struct doubt){ process, bytes };
	return true;
}

static bool has_unmade(struct vms_group *group, struct vmsi_process *process,
		       void *context)
{
	vmsi_granted_check(group, process);
	*(bool *)context = vmsi_account_has_unmade(&process->account);
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
	     vmsi_account_committed(&group->account) > target && looks;
	     looks--) {
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
	if (vmsi_account_committed(&group->account) > target &&
	    group->account.forks)
		vmsi_unborn_settle(group);
	if (vmsi_account_committed(&group->account) > target)
		vmsi_group_look(group, process, thread);
	vmsi_group_look_at_doubtful(group, target);
}

static bool make_room(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, size_t bytes)
{
	if (bytes > group->options.commit_limit)
		return false;
	vmsi_group_bring_down(group, process, thread,
			      vmsi_account_room_for(&group->account, bytes));
	return vmsi_account_fits(&group->account, bytes);
}

/* What a request does when it is made. To find out may bring a look. */
static struct vmsi_effect effect_of(struct vms_group *group,
				    struct vmsi_process *process, pid_t thread,
				    const struct vmsi_request *request)
{
	struct vmsi_effect effect = { .kind = VMSI_EFFECT_OWN,
		.thread = thread, .bytes = request->bytes,
		.moved = request->moved };

	if (request->call == VMS_GROUP_FORK) {
		effect.kind = VMSI_EFFECT_CHILD;
	} else if (request->shared) {
		effect.kind = VMSI_EFFECT_OBJECT;
		effect.stays = request->file.end != 0;
		effect.replaced = request->replaced;
		effect.replaced_of = request->replaced ?
			&vmsi_process_counter(group, process)->account : NULL;
	}
	return effect;
}

static struct vmsi_account_process *copiers_of(struct vms_group *group,
					       struct vmsi_process *process,
					       const struct vmsi_effect *effect)
{
	return effect->kind == VMSI_EFFECT_OWN ?
		vmsi_unborn_copiers(group, process) : NULL;
}

/* What is charged for a request, at most. */
static size_t charge_for(struct vms_group *group, struct vmsi_process *process,
			 const struct vmsi_request *request)
{
	const struct vmsi_effect effect =
		effect_of(group, process, 0, request);

	return vmsi_account_cost(&effect, copiers_of(group, process, &effect));
}

static bool has_room(struct vms_group *group, struct vmsi_process *process,
		     const struct vmsi_request *request)
{
	const struct vmsi_effect effect =
		effect_of(group, process, 0, request);

	return vmsi_account_has_room(&group->account, &effect,
				     copiers_of(group, process, &effect));
}

/* Everything is read again, when all that was granted has been made. */
static bool make_sure(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	wait_until_made(group);
	vmsi_group_look_at_all(group);
	vmsi_account_raise_peak(&group->account);
	if (request->call == VMS_GROUP_FORK)
		request->bytes = vmsi_process_copy(group, process);
	vmsi_request_refresh(group, request);
	if (!has_room(group, process, request))
		request->bytes = vmsi_request_net(group, process, thread,
						  request);
	return has_room(group, process, request);
}

/* As a single request: of the whole limit. */
static bool is_less_than_it_seems(struct vms_group *group,
				  struct vmsi_process *process, pid_t thread,
				  struct vmsi_request *request)
{
	vmsi_group_look(group, process, thread);
	request->bytes = vmsi_request_net(group, process, thread, request);
	return has_room(group, process, request);
}

/* Look at as much as it takes until there is room for a request. */
static bool find_room(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	if (has_room(group, process, request))
		return true;
	if (group->options.policy != VMS_COMMIT_STRICT)
		return is_less_than_it_seems(group, process, thread, request);
	return make_room(group, process, thread,
			 charge_for(group, process, request)) ||
		make_sure(group, process, thread, request);
}

/* --- granting ----------------------------------------------------------- */

/* Returns 0 or -errno as vmsi_account_grant. */
static int charge(struct vms_group *group, struct vmsi_process *process,
		  pid_t thread, const struct vmsi_request *request,
		  bool is_looked_at)
{
	struct vmsi_effect effect = effect_of(group, process, thread, request);
	const bool forks = effect.kind == VMSI_EFFECT_CHILD;
	int error;

	effect.is_looked_at = is_looked_at;
	effect.notes = vmsi_granted_notes(group->call,
					  forks ? request->bytes : 0);
	if (forks)
		effect.notes.breaks = vmsi_unborn_breaks(group, process);
	error = vmsi_account_grant(&group->account, &process->account, &effect,
				   copiers_of(group, process, &effect));
	if (error)
		return error;
	if (request->file.end)
		vmsi_memory_files_count(&group->files, &request->file);
	if (request->call == VMS_GROUP_SHMGET)
		group->made_segments = true;
	if (request->call == VMS_GROUP_BRK)
		request->heap->data_end = request->data_end;
	return 0;
}

bool vmsi_group_grant(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	bool is_looked_at;
	int error = -EDQUOT;

	if (!find_room(group, process, thread, request))
		return false;
	is_looked_at = vmsi_group_look_for_peak(group, process, thread,
						request->bytes);
	/* That may have found what nobody asked for, or what is gone. */
	vmsi_request_refresh(group, request);
	/* So may the last question for whose memory it is, which ends. */
	while (error == -EDQUOT && find_room(group, process, thread, request))
		error = charge(group, process, thread, request, is_looked_at);
	return error == 0;
}

void vmsi_group_take_back(struct vms_group *group,
			  struct vmsi_process *process, pid_t thread,
			  const struct vmsi_request *request)
{
	vmsi_account_withdraw(&group->account, &process->account, thread);
	/* Whether the heap has grown is not known. */
	if (request->call == VMS_GROUP_BRK)
		request->heap->data_end = 0;
}

/* --- now and then --------------------------------------------------------- */

void vmsi_group_look_at_files(struct vms_group *group)
{
	const uint64_t begin = vmsi_group_now();

	if (!group->maps_files || begin < group->next_file_look)
		return;
	vmsi_group_look_at_all(group);
	group->next_file_look = vmsi_group_next_look(begin);
	/* A call under way may replace what counts as well. */
	if (vmsi_account_fits(&group->account, 0) ||
	    !vmsi_group_has_unmade(group))
		vmsi_account_raise_peak(&group->account);
}

static bool look_at_stack(struct vms_group *group, struct vmsi_process *process,
			  void *context)
{
	const size_t stack = vmsi_process_shares(group, process) ? 0 :
		vmsi_proc_stack(process->pid);

	(void)context;
	if (process->stack && stack > process->stack)
		vmsi_account_grew(&group->account, &process->account,
				  stack - process->stack);
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
