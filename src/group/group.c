/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/versioned.h"
#include "group/tracer.h"

/* --- the groups of this process ------------------------------------------ */

static pthread_mutex_t groups_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vms_group *groups;

void vmsi_group_enlist(struct vms_group *group)
{
	pthread_mutex_lock(&groups_lock);
	group->next = groups;
	groups = group;
	pthread_mutex_unlock(&groups_lock);
}

void vmsi_group_delist(struct vms_group *group)
{
	struct vms_group **link = &groups;

	pthread_mutex_lock(&groups_lock);
	while (*link && *link != group)
		link = &(*link)->next;
	if (*link)
		*link = group->next;
	pthread_mutex_unlock(&groups_lock);
}

bool vmsi_group_is_first(pid_t pid)
{
	const struct vms_group *group;

	pthread_mutex_lock(&groups_lock);
	group = groups;
	while (group && group->first != pid)
		group = group->next;
	pthread_mutex_unlock(&groups_lock);
	return group != NULL;
}

/* --- figures ------------------------------------------------------------- */

int vms_group_descriptor(const vms_group *group)
{
	return group->epoll;
}

pid_t vms_group_first(const vms_group *group)
{
	return group->first;
}

int vms_group_status(const vms_group *group)
{
	return group->status;
}

int vms_group_get_stats(vms_group *group, struct vms_group_stats *stats)
{
	struct vms_group_stats known;
	const int error = group && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_GROUP_STATS) : -EINVAL;

	if (error) {
		errno = -error;
		return -1;
	}
	known = (struct vms_group_stats){
		.limit = group->options.commit_limit,
		.committed = vmsi_account_committed(&group->account),
		.peak = group->account.peak,
		.shared = group->account.objects,
		.requests = group->requests,
		.calls = group->calls,
		.refusals = group->refusals,
		.injected = group->injected,
		.looks = group->looks,
		.interruptible = group->interruptible,
		.processes = group->process_count,
		.granted_again = group->granted_again,
	};
	vmsi_give_figures(stats, &known, sizeof known);
	return 0;
}

/* The living, bucket by bucket, and then the ended. */
static const struct vmsi_process *nth_process(const vms_group *group, size_t n)
{
	const struct vmsi_process *process;

	for (size_t i = 0; i < VMSI_PROCESS_BUCKETS; i++)
		for (process = group->processes[i]; process;
		     process = process->next)
			if (n-- == 0)
				return process;
	for (process = group->ended; process && n > 0; n--)
		process = process->next;
	return process;
}

int vms_group_next_process(vms_group *group, size_t *cursor,
			   struct vms_group_process *process)
{
	struct vms_group_process known = { 0 };
	const struct vmsi_process *found;
	const int error = group && cursor && process ?
		vmsi_check_struct_size(process->struct_size,
				       VMSI_FIRST_GROUP_PROCESS) : -EINVAL;

	if (error) {
		errno = -error;
		return -1;
	}
	found = nth_process(group, *cursor);
	if (!found)
		return 0;
	++*cursor;
	known.pid = found->pid;
	known.ended = *cursor > group->process_count;
	known.committed = vmsi_account_of(&found->account);
	known.peak = vmsi_account_peak_of(&group->account, &found->account);
	known.refusals = found->refusals;
	memcpy(known.command, found->command, sizeof known.command);
	vmsi_give_figures(process, &known, sizeof known);
	return 1;
}

struct sending {
	int signal;
	size_t sent;
};

static bool send_signal(struct vms_group *group, struct vmsi_process *process,
			void *context)
{
	struct sending *sending = context;

	(void)group;
	/* The number of one that has ended may be anybody's by now. */
	sending->sent += (process->pidfd < 0 ?
		kill(process->pid, sending->signal) :
		syscall(SYS_pidfd_send_signal, process->pidfd,
			sending->signal, NULL, 0)) == 0;
	return true;
}

size_t vms_group_kill(vms_group *group, int signal)
{
	struct sending sending = { .signal = signal };

	vmsi_tree_discover(group);
	vmsi_processes_each(group, send_signal, &sending);
	return sending.sent;
}

void vms_group_close(vms_group *group)
{
	if (!group)
		return;
	vmsi_refusals_end(group, 0);
	vmsi_group_delist(group);
	vmsi_tracer_stop(group->tracer);
	vmsi_processes_free(group);
	if (group->listener >= 0)
		close(group->listener);
	if (group->ends >= 0)
		close(group->ends);
	if (group->epoll >= 0)
		close(group->epoll);
	free(group->call);
	free(group->tmpfs);
	vmsi_memory_files_free(&group->files);
	vmsi_account_free(&group->account);
	free(group);
}
