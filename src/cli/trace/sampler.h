/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SAMPLER_H
#define VMSI_CLI_SAMPLER_H

#include <pthread.h>

#include "cli/recording/write.h"
#include "cli/trace/announced.h"
#include "cli/trace/known.h"
#include "cli/trace/pace.h"
#include "cli/trace/descendants.h"

/*
 * Looks at all descendants of this process now and then, and tells the recorder what
 * has changed. What lies in smaps is read of a process whose sizes or faults have
 * changed, and of others seldom: the kernel holds up the process's own calls meanwhile.
 */

/* One life of a process. */
struct vmsi_traced {
	pid_t pid;
	uint32_t number, parent;       /* in the recording */
	char name[64];                 /* as the kernel has it, cut off */
	uint64_t start_time;           /* what tells it from others of its number */
	uint64_t data_start, heap_start; /* other ones: it has executed a program */
	uint64_t mapped, resident_pages, faults;
	uint64_t looked;               /* when, nanoseconds; 0: not yet */
	bool is_there, has_changed, is_hidden;
	struct vmsi_known known;
};

#define VMSI_ENDS_KEPT 256

struct vmsi_sampler {
	struct vmsi_recorder *recorder;
	/*
	 * Held while the recorder is used: who tells it of calls is another thread.
	 * The list is the sampler's own, but for the numbers of processes.
	 */
	pthread_mutex_t lock;
	uint64_t told_beside;     /* bytes that others have told the recorder */
	uint64_t began;           /* of vmsi_clock_ns */
	uint64_t own_data_start, own_heap_start; /* of this process */
	struct vmsi_pace pace;
	struct vmsi_descendants tree;
	struct vmsi_traced *list;
	size_t count, capacity;
	size_t next;              /* who is looked at first */
	uint64_t next_machine;    /* when */
	bool has_no_pages;        /* this kernel tells none */
	bool is_finished;
	/*
	 * Whose end another thread tells, with its status: it is there until then. 0:
	 * none.
	 */
	pid_t awaited;
	bool has_awaited_ended;
	int awaited_status;
	/* Who has ended last, for what is told of them late. */
	struct vmsi_traced_end {
		pid_t pid;
		uint32_t number;
	} ends[VMSI_ENDS_KEPT];
	size_t end_count;
	struct vmsi_announced_list announced; /* with the lock */
	size_t hidden;            /* how many could not be looked at */
};

/* every: nanoseconds; 0: as the sampler thinks best. */
void vmsi_sampler_begin(struct vmsi_sampler *sampler,
			struct vmsi_recorder *recorder, uint64_t every);

/* Microseconds since it began. */
uint64_t vmsi_sampler_time(const struct vmsi_sampler *sampler);

/*
 * Look once. Returns how long to wait for the next time, in nanoseconds. What cannot
 * be read is left out; an error of the file is in the recorder.
 */
uint64_t vmsi_sampler_look(struct vmsi_sampler *sampler);

/* A process has ended, with a status of waitpid(2). */
void vmsi_sampler_ended(struct vmsi_sampler *sampler, pid_t pid, int status);

/* The same from another thread than the sampler's, of who is awaited. */
void vmsi_sampler_tell_end(struct vmsi_sampler *sampler, int status);

/*
 * Returns the number of a process in the recording, of one that has ended too; VMSI_NOBODY
 * where it has not been seen. The caller holds the lock.
 */
uint32_t vmsi_sampler_find(const struct vmsi_sampler *sampler, pid_t pid);

/* Tell that all that are left have ended, and finish the file. Returns as that does. */
int vmsi_sampler_finish(struct vmsi_sampler *sampler);
void vmsi_sampler_free(struct vmsi_sampler *sampler);

/* --- sampler_processes.c -------------------------------------------------- */

/* One that the sampler sees; NULL: there is none. */
struct vmsi_traced *vmsi_sampler_find_living(const struct vmsi_sampler *sampler,
					     pid_t pid);

/*
 * By another thread than the sampler's, which holds the lock: as vmsi_sampler_find, of a
 * process that is in the recording from now on. One that has executed a program, which
 * the sampler has not seen yet, may be the former one still.
 */
uint32_t vmsi_sampler_announce(struct vmsi_sampler *sampler, pid_t pid,
			       const char *name);

/* The sampler holds the lock: keep who has ended, for what is told of it late. */
void vmsi_sampler_keep_end(struct vmsi_sampler *sampler, pid_t pid, uint32_t number);

/*
 * The sampler holds the lock, and has seen a process. Returns its number in the recording,
 * where it may have been announced, with another name if it is another program by now.
 */
uint32_t vmsi_sampler_tell_process(struct vmsi_sampler *sampler, pid_t pid,
				   uint32_t parent, const char *name);

/* The processes are about to be listed: who is announced now is among them, or has ended. */
void vmsi_sampler_note_announced(struct vmsi_sampler *sampler);
void vmsi_sampler_end_lost(struct vmsi_sampler *sampler);

/* The end of one, with a status of waitpid(2), and of all. */
void vmsi_sampler_end_announced(struct vmsi_sampler *sampler, pid_t pid, int status);
void vmsi_sampler_end_all_announced(struct vmsi_sampler *sampler);

#endif
