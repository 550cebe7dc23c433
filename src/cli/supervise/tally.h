/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_TALLY_H
#define VMSI_CLI_SUPERVISE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/group.h>

/*
 * What was refused, counted by stack, by process and by program. A malloc asks by
 * mmap, brk and mmap again before it says no: these are the attempts of one refusal.
 */

/* The attempts that are told of a refusal; malloc makes three, or five in a thread. */
#define VMSI_ATTEMPTS_MOST 8

struct vmsi_refusal {
	struct vms_group_refusal told; /* of the first attempt; without backtrace */
	size_t stack;                  /* its place in stacks; SIZE_MAX: not kept */
	enum vms_group_call attempts[VMSI_ATTEMPTS_MOST];
	size_t attempt_count;
};

/* Refusals of one program with one stack, but for the inside of its allocator. */
struct vmsi_tally_stack {
	uint64_t hash;
	char *key;                     /* the program, and the stack or why there is none */
	char *backtrace;               /* of the first attempt, demangled; NULL: none */
	char *why;                     /* why there is none; NULL: there is one */
	struct vms_group_refusal first; /* without backtrace */
	uint64_t count, attempts;
	size_t least, most;            /* bytes requested */
	uint64_t last_time;
};

struct vmsi_tally_process {
	pid_t pid;
	char command[16];
	uint64_t count;
};

struct vmsi_tally_command {
	char command[16];
	uint64_t count;
	size_t processes;
};

/* The last refusal of a thread, to which the next attempt may belong. */
struct vmsi_tally_open {
	pid_t thread;                  /* 0: none */
	uint64_t last_time;
	uint64_t key;                  /* hashes of what attempts have in common, */
	uint64_t whole[VMSI_ATTEMPTS_MOST]; /* and of their whole stacks */
	bool has_allocator;            /* key begins with its function */
	struct vmsi_refusal refusal;
	size_t kept;                   /* its place in refusals; SIZE_MAX: not kept */
};

#define VMSI_OPEN_MOST 64

/* All arrays end at some number of elements; what comes then is only counted. */
struct vmsi_tally {
	uint64_t count;                /* of refusals */
	struct vmsi_tally_stack *stacks;
	size_t stack_count, stack_room;
	uint64_t beyond;               /* refusals of stacks that are not in stacks */
	struct vmsi_tally_process *processes;
	size_t process_count, process_room;
	struct vmsi_tally_command *commands;
	size_t command_count, command_room;
	struct vmsi_refusal *refusals; /* the first ones */
	size_t kept, kept_room;
	size_t kept_most;              /* how many are kept: set by the owner */
	struct vmsi_tally_open open[VMSI_OPEN_MOST];
};

/*
 * Count an attempt. Returns whether it is the first one of a refusal. Without memory it
 * is counted in count and in beyond.
 */
bool vmsi_tally_add(struct vmsi_tally *tally,
		    const struct vms_group_refusal *attempt);

/* How often a process was refused something. */
uint64_t vmsi_tally_of(const struct vmsi_tally *tally, pid_t pid);

/*
 * The stacks by their counts, the largest first; malloc's. NULL: there are none, or no
 * memory.
 */
const struct vmsi_tally_stack **vmsi_tally_sorted(const struct vmsi_tally *tally);

/* Sort the programs by their counts, the largest first. */
void vmsi_tally_sort_commands(struct vmsi_tally *tally);

void vmsi_tally_free(struct vmsi_tally *tally);

#endif
