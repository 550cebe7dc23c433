/* SPDX-License-Identifier: MIT */
#include "cli/trace/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/clock.h"
#include "procfs/file.h"
#include "procfs/meminfo.h"
#include "procfs/stat.h"

/* What nothing tells, as mprotect(2), is seen after so long at the latest. */
#define LOOK_ANYWAY_NS UINT64_C(5000000000)
#define MACHINE_NS UINT64_C(1000000000)

void vmsi_sampler_begin(struct vmsi_sampler *sampler,
			struct vmsi_recorder *recorder, uint64_t every)
{
	struct vmsi_stat own;
	char text[VMSI_STAT_BYTES];

	*sampler = (struct vmsi_sampler){
		.recorder = recorder, .began = vmsi_clock_ns(),
		.pace = vmsi_pace_begin(every),
	};
	pthread_mutex_init(&sampler->lock, NULL);
	if (vmsi_process_stat(getpid(), text, &own)) {
		sampler->own_data_start = own.data_start;
		sampler->own_heap_start = own.heap_start;
	}
}

static uint64_t now(const struct vmsi_sampler *sampler)
{
	return vmsi_clock_ns() - sampler->began;
}

/* --- the machine ---------------------------------------------------------- */

/* Mode 2 of vm.overcommit_memory, the only one in which the kernel keeps the limit. */
#define STRICT 2

/* Returns 0 where none is in force. */
static uint64_t machine_limit(const struct vmsi_meminfo *meminfo)
{
	uint64_t mode;

	return vmsi_host_read_number("/proc/sys/vm/overcommit_memory", &mode) &&
		mode == STRICT ? meminfo->commit_limit : 0;
}

static void tell_machine(struct vmsi_sampler *sampler)
{
	struct vmsi_meminfo meminfo;
	struct vmsi_host_file file;
	int error;

	if (now(sampler) < sampler->next_machine)
		return;
	sampler->next_machine = now(sampler) + MACHINE_NS;
	if (vmsi_host_file_open(&file, "/proc/meminfo"))
		return;
	error = vmsi_meminfo_read(&file.lines, &meminfo);
	vmsi_host_file_close(&file);
	if (error || !meminfo.tells_commit)
		return;
	pthread_mutex_lock(&sampler->lock);
	vmsi_recorder_event(sampler->recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_MACHINE, .size = machine_limit(&meminfo),
		.commit = meminfo.committed, .file = meminfo.ram_available,
	});
	pthread_mutex_unlock(&sampler->lock);
}

/* --- who there is --------------------------------------------------------- */

/* The caller holds the lock. */
static void tell_end(struct vmsi_sampler *sampler, struct vmsi_traced *traced,
		     const int *status)
{
	vmsi_recorder_time(sampler->recorder, vmsi_sampler_time(sampler));
	vmsi_known_end(&traced->known, sampler->recorder);
	vmsi_recorder_ended(sampler->recorder, traced->number, status);
	sampler->hidden += traced->is_hidden && !traced->looked;
	vmsi_known_free(&traced->known);
}

static void remove_at(struct vmsi_sampler *sampler, size_t at, const int *status)
{
	pthread_mutex_lock(&sampler->lock);
	tell_end(sampler, &sampler->list[at], status);
	vmsi_sampler_keep_end(sampler, sampler->list[at].pid,
			      sampler->list[at].number);
	/* The last one takes the place. */
	sampler->list[at] = sampler->list[--sampler->count];
	pthread_mutex_unlock(&sampler->lock);
}

void vmsi_sampler_ended(struct vmsi_sampler *sampler, pid_t pid, int status)
{
	struct vmsi_traced *traced = vmsi_sampler_find_living(sampler, pid);

	if (traced)
		remove_at(sampler, (size_t)(traced - sampler->list), &status);
	else
		vmsi_sampler_end_announced(sampler, pid, status);
}

void vmsi_sampler_tell_end(struct vmsi_sampler *sampler, int status)
{
	pthread_mutex_lock(&sampler->lock);
	sampler->has_awaited_ended = true;
	sampler->awaited_status = status;
	pthread_mutex_unlock(&sampler->lock);
}

static void take_end(struct vmsi_sampler *sampler)
{
	bool has_ended;

	pthread_mutex_lock(&sampler->lock);
	has_ended = sampler->has_awaited_ended;
	sampler->has_awaited_ended = false;
	pthread_mutex_unlock(&sampler->lock);
	if (!has_ended)
		return;
	vmsi_sampler_ended(sampler, sampler->awaited, sampler->awaited_status);
	sampler->awaited = 0;
}

/* A life begins: of a new process, or of one that has executed a program. */
static void begin_life(struct vmsi_sampler *sampler, struct vmsi_traced *traced,
		       const struct vmsi_stat *stat)
{
	size_t length = vmsi_scan_left(&stat->command);

	if (length >= sizeof(traced->name))
		length = sizeof(traced->name) - 1;
	memcpy(traced->name, stat->command.at, length);
	traced->name[length] = '\0';
	traced->data_start = stat->data_start;
	traced->heap_start = stat->heap_start;
	traced->looked = 0;
	traced->is_hidden = false;
	traced->number = vmsi_sampler_tell_process(sampler, traced->pid,
						   traced->parent, traced->name);
	traced->known = (struct vmsi_known){ .process = traced->number };
}

static struct vmsi_traced *meet(struct vmsi_sampler *sampler, pid_t pid,
				const struct vmsi_stat *stat)
{
	struct vmsi_traced traced = { .pid = pid, .start_time = stat->start_time };
	struct vmsi_traced *list;

	pthread_mutex_lock(&sampler->lock);
	traced.parent = vmsi_sampler_find(sampler, (pid_t)stat->parent);
	list = vmsi_with_capacity(sampler->list, sampler->count,
				  &sampler->capacity, sizeof(*list));
	if (list) {
		sampler->list = list;
		begin_life(sampler, &traced, stat);
		list[sampler->count] = traced;
		list = &list[sampler->count++];
	}
	pthread_mutex_unlock(&sampler->lock);
	return list;
}

/* A process that ends has no memory any more before it is a zombie. */
static bool has_ended(const struct vmsi_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X' || stat->mapped == 0;
}

/*
 * Another program has other addresses, and what there was of the old one is gone. While
 * the kernel executes it they come one by one.
 */
static void note_exec(struct vmsi_sampler *sampler, struct vmsi_traced *traced,
		      const struct vmsi_stat *stat)
{
	if (traced->data_start == stat->data_start &&
	    traced->heap_start == stat->heap_start)
		return;
	if (!traced->looked && vmsi_scan_is(&stat->command, traced->name)) {
		traced->data_start = stat->data_start;
		traced->heap_start = stat->heap_start;
		return;
	}
	pthread_mutex_lock(&sampler->lock);
	tell_end(sampler, traced, NULL);
	begin_life(sampler, traced, stat);
	pthread_mutex_unlock(&sampler->lock);
}

static void note_figures(struct vmsi_traced *traced, const struct vmsi_stat *stat)
{
	const uint64_t faults = stat->minor_faults + stat->major_faults;

	traced->is_there = true;
	traced->has_changed |= traced->mapped != stat->mapped ||
		traced->resident_pages != stat->resident_pages ||
		traced->faults != faults;
	traced->mapped = stat->mapped;
	traced->resident_pages = stat->resident_pages;
	traced->faults = faults;
}

/* A fork of this process that has executed nothing is not the program's. */
static bool is_own(const struct vmsi_sampler *sampler, const struct vmsi_stat *stat)
{
	return stat->parent == (uint64_t)getpid() &&
		stat->data_start == sampler->own_data_start &&
		stat->heap_start == sampler->own_heap_start;
}

static void check(struct vmsi_sampler *sampler, pid_t pid)
{
	struct vmsi_traced *traced;
	struct vmsi_stat stat;
	char text[VMSI_STAT_BYTES];

	if (!vmsi_process_stat(pid, text, &stat))
		return;
	if (is_own(sampler, &stat))
		return;
	traced = vmsi_sampler_find_living(sampler, pid);
	/* The end of a child is told with its status, when it was waited for. */
	if (has_ended(&stat)) {
		if (traced && stat.parent == (uint64_t)getpid()) {
			traced->is_there = true;
			traced->has_changed = false;
		}
		return;
	}
	if (traced && traced->start_time != stat.start_time) {
		remove_at(sampler, (size_t)(traced - sampler->list), NULL);
		traced = NULL;
	}
	if (traced)
		note_exec(sampler, traced, &stat);
	else
		traced = meet(sampler, pid, &stat);
	if (traced)
		note_figures(traced, &stat);
}

static void check_all(struct vmsi_sampler *sampler)
{
	for (size_t i = 0; i < sampler->count; i++)
		sampler->list[i].is_there = false;
	vmsi_sampler_note_announced(sampler);
	/* Without memory some are missing, and look as if they had ended. */
	if (vmsi_descendants_read(&sampler->tree))
		return;
	for (size_t i = 0; i < sampler->tree.count; i++)
		check(sampler, sampler->tree.list[i]);
	for (size_t i = sampler->count; i-- > 0;)
		if (!sampler->list[i].is_there &&
		    sampler->list[i].pid != sampler->awaited)
			remove_at(sampler, i, NULL);
	vmsi_sampler_end_lost(sampler);
}

/* --- what they have ------------------------------------------------------- */

static int see(struct vmsi_sampler *sampler, struct vmsi_process *process,
	       pid_t pid)
{
	int error;

	if (!sampler->has_no_pages) {
		error = vmsi_process_see(process, pid,
					 VMSI_SEE_PAGES | VMSI_SEE_MAPPINGS);
		if (error != -ENOENT && error != -EPROTO)
			return error;
		/* It is the kernel, if maps can be read. */
		vmsi_process_free(process);
	}
	error = vmsi_process_see(process, pid, VMSI_SEE_MAPPINGS);
	sampler->has_no_pages |= error == 0;
	return error;
}

/*
 * A process may end, or execute a program, while it is looked at: then what was read is
 * nobody's. It is executing one where it has no heap yet.
 */
static bool is_still(const struct vmsi_traced *traced)
{
	struct vmsi_stat stat;
	char text[VMSI_STAT_BYTES];

	return vmsi_process_stat(traced->pid, text, &stat) &&
		!has_ended(&stat) && stat.heap_start != 0 && stat.start_time == traced->start_time &&
		stat.data_start == traced->data_start &&
		stat.heap_start == traced->heap_start;
}

static void look_at(struct vmsi_sampler *sampler, struct vmsi_traced *traced)
{
	struct vmsi_process process;
	const int error = see(sampler, &process, traced->pid);

	if (!error && is_still(traced)) {
		pthread_mutex_lock(&sampler->lock);
		vmsi_recorder_time(sampler->recorder, vmsi_sampler_time(sampler));
		(void)vmsi_known_tell(&traced->known, sampler->recorder, &process);
		pthread_mutex_unlock(&sampler->lock);
		traced->looked = now(sampler);
		traced->has_changed = false;
	}
	traced->is_hidden = error == -EACCES || error == -EPERM;
	vmsi_process_free(&process);
}

static bool is_due(const struct vmsi_sampler *sampler,
		   const struct vmsi_traced *traced)
{
	return !traced->is_hidden &&
		(traced->has_changed || !traced->looked ||
		 now(sampler) - traced->looked >= LOOK_ANYWAY_NS);
}

/* What the sampler has told: it was written, or waits to be. */
static uint64_t told(struct vmsi_sampler *sampler)
{
	uint64_t bytes;

	pthread_mutex_lock(&sampler->lock);
	bytes = sampler->recorder->place + sampler->recorder->used -
		sampler->told_beside;
	pthread_mutex_unlock(&sampler->lock);
	return bytes;
}

/* Something that is done, from its begin on. */
struct work {
	uint64_t time, processor; /* nanoseconds */
	uint64_t place;           /* in the file */
};

static uint64_t processor_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static struct work begin_work(struct vmsi_sampler *sampler)
{
	return (struct work){ now(sampler), processor_time(), told(sampler) };
}

/*
 * What the processor did counts; where others have it meanwhile, a part of the time
 * does, for the kernel may hold a lock of the process then.
 */
static void spend(struct vmsi_sampler *sampler, const struct work *work)
{
	const uint64_t used = processor_time() - work->processor;
	uint64_t part;

	vmsi_pace_advance(&sampler->pace, now(sampler));
	part = (sampler->pace.now - work->time) / 4;
	vmsi_pace_spend(&sampler->pace, used > part ? used : part,
			told(sampler) - work->place);
}

/* Each in turn, so that where time is short nobody is passed over for ever. */
static void look_at_all(struct vmsi_sampler *sampler)
{
	for (size_t i = 0; i < sampler->count &&
	     vmsi_pace_allows(&sampler->pace); i++) {
		const struct work work = begin_work(sampler);
		struct vmsi_traced *traced;

		if (sampler->next >= sampler->count)
			sampler->next = 0;
		traced = &sampler->list[sampler->next++];
		if (!is_due(sampler, traced))
			continue;
		look_at(sampler, traced);
		spend(sampler, &work);
	}
}

uint64_t vmsi_sampler_look(struct vmsi_sampler *sampler)
{
	const struct work work = begin_work(sampler);

	vmsi_pace_advance(&sampler->pace, work.time);
	take_end(sampler);
	tell_machine(sampler);
	check_all(sampler);
	spend(sampler, &work);
	look_at_all(sampler);
	pthread_mutex_lock(&sampler->lock);
	(void)vmsi_recorder_flush(sampler->recorder);
	pthread_mutex_unlock(&sampler->lock);
	return vmsi_pace_wait(&sampler->pace);
}

/* --- the end -------------------------------------------------------------- */

int vmsi_sampler_finish(struct vmsi_sampler *sampler)
{
	if (sampler->is_finished)
		return sampler->recorder->error;
	sampler->is_finished = true;
	take_end(sampler);
	while (sampler->count > 0)
		remove_at(sampler, sampler->count - 1, NULL);
	vmsi_sampler_end_all_announced(sampler);
	vmsi_recorder_time(sampler->recorder, vmsi_sampler_time(sampler));
	return vmsi_recorder_finish(sampler->recorder);
}

void vmsi_sampler_free(struct vmsi_sampler *sampler)
{
	for (size_t i = 0; i < sampler->count; i++)
		vmsi_known_free(&sampler->list[i].known);
	free(sampler->list);
	vmsi_announced_free(&sampler->announced);
	vmsi_descendants_free(&sampler->tree);
	pthread_mutex_destroy(&sampler->lock);
}
