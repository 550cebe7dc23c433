/* SPDX-License-Identifier: MIT */
#include "cli/trace/sampler.h"

#include <stdio.h>
#include <string.h>

#include "cli/clock.h"
#include "procfs/stat.h"

/* Who is in the recording: those that the sampler has seen, was told of, or saw end. */

uint64_t vmsi_sampler_time(const struct vmsi_sampler *sampler)
{
	return (vmsi_clock_ns() - sampler->began) / 1000;
}

struct vmsi_traced *vmsi_sampler_find_living(const struct vmsi_sampler *sampler,
					     pid_t pid)
{
	for (size_t i = 0; i < sampler->count; i++)
		if (sampler->list[i].pid == pid)
			return &sampler->list[i];
	return NULL;
}

uint32_t vmsi_sampler_find(const struct vmsi_sampler *sampler, pid_t pid)
{
	const struct vmsi_traced *traced =
		vmsi_sampler_find_living(sampler, pid);
	const struct vmsi_announced *announced =
		vmsi_announced_find(&sampler->announced, pid);
	const size_t kept = sampler->end_count < VMSI_ENDS_KEPT ?
		sampler->end_count : VMSI_ENDS_KEPT;

	if (traced || announced)
		return traced ? traced->number : announced->number;
	for (size_t i = 1; i <= kept; i++) {
		const struct vmsi_traced_end *end =
			&sampler->ends[(sampler->end_count - i) % VMSI_ENDS_KEPT];

		if (end->pid == pid)
			return end->number;
	}
	return VMSI_NOBODY;
}

void vmsi_sampler_keep_end(struct vmsi_sampler *sampler, pid_t pid, uint32_t number)
{
	sampler->ends[sampler->end_count++ % VMSI_ENDS_KEPT] =
		(struct vmsi_traced_end){ pid, number };
}

/* The caller holds the lock. */
static void end(struct vmsi_sampler *sampler, struct vmsi_announced *announced,
		const int *status)
{
	vmsi_recorder_time(sampler->recorder, vmsi_sampler_time(sampler));
	vmsi_recorder_ended(sampler->recorder, announced->number, status);
	vmsi_sampler_keep_end(sampler, announced->pid, announced->number);
	vmsi_announced_remove(&sampler->announced, announced);
}

uint32_t vmsi_sampler_tell_process(struct vmsi_sampler *sampler, pid_t pid,
				   uint32_t parent, const char *name)
{
	struct vmsi_announced *announced =
		vmsi_announced_find(&sampler->announced, pid);
	uint32_t number;

	vmsi_recorder_time(sampler->recorder, vmsi_sampler_time(sampler));
	if (announced && strcmp(announced->name, name) == 0) {
		number = announced->number;
		vmsi_announced_remove(&sampler->announced, announced);
		return number;
	}
	if (announced)
		end(sampler, announced, NULL);
	return vmsi_recorder_process(sampler->recorder, pid, parent, name);
}

static uint32_t parent_of(const struct vmsi_sampler *sampler, pid_t pid)
{
	struct vmsi_stat stat;
	char text[VMSI_STAT_BYTES];

	return vmsi_process_stat(pid, text, &stat) ?
		vmsi_sampler_find(sampler, (pid_t)stat.parent) : VMSI_NOBODY;
}

uint32_t vmsi_sampler_announce(struct vmsi_sampler *sampler, pid_t pid,
			       const char *name)
{
	struct vmsi_announced *announced =
		vmsi_announced_find(&sampler->announced, pid);
	const uint32_t number = vmsi_sampler_find(sampler, pid);
	struct vmsi_announced fresh = { .pid = pid };

	if (number != VMSI_NOBODY &&
	    (!announced || strcmp(announced->name, name) == 0))
		return number;
	if (announced)
		end(sampler, announced, NULL);
	snprintf(fresh.name, sizeof(fresh.name), "%s", name);
	vmsi_recorder_time(sampler->recorder, vmsi_sampler_time(sampler));
	fresh.number = vmsi_recorder_process(sampler->recorder, pid,
					     parent_of(sampler, pid), fresh.name);
	/* Without memory it is in the recording, and nobody tells of its end. */
	(void)vmsi_announced_add(&sampler->announced, &fresh);
	return fresh.number;
}

void vmsi_sampler_note_announced(struct vmsi_sampler *sampler)
{
	pthread_mutex_lock(&sampler->lock);
	for (size_t i = 0; i < sampler->announced.count; i++)
		sampler->announced.list[i].is_old = true;
	pthread_mutex_unlock(&sampler->lock);
}

static bool is_in_tree(const struct vmsi_sampler *sampler, pid_t pid)
{
	for (size_t i = 0; i < sampler->tree.count; i++)
		if (sampler->tree.list[i] == pid)
			return true;
	return false;
}

void vmsi_sampler_end_lost(struct vmsi_sampler *sampler)
{
	pthread_mutex_lock(&sampler->lock);
	for (size_t i = sampler->announced.count; i-- > 0;) {
		struct vmsi_announced *announced = &sampler->announced.list[i];

		if (announced->is_old && announced->pid != sampler->awaited &&
		    !is_in_tree(sampler, announced->pid))
			end(sampler, announced, NULL);
	}
	pthread_mutex_unlock(&sampler->lock);
}

void vmsi_sampler_end_announced(struct vmsi_sampler *sampler, pid_t pid, int status)
{
	struct vmsi_announced *announced;

	pthread_mutex_lock(&sampler->lock);
	announced = vmsi_announced_find(&sampler->announced, pid);
	if (announced)
		end(sampler, announced, &status);
	pthread_mutex_unlock(&sampler->lock);
}

void vmsi_sampler_end_all_announced(struct vmsi_sampler *sampler)
{
	while (sampler->announced.count > 0)
		end(sampler, sampler->announced.list, NULL);
}
