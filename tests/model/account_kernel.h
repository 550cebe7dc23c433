/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_KERNEL_H
#define ACCOUNT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "account_shadow.h"
#include "account_world.h"
#include "group/account/account.h"

/*
 * The world of account_world.h: processes with memory and calls, children that the
 * supervisor has not seen, and the looks by which the account learns of them.
 */

#define PROCESSES 10
#define THREADS 3
#define UNSEEN 24
#define MOST_BYTES 100

/* A call that the account granted. */
struct call {
	bool active;       /* it has not returned */
	bool made;
	struct vmsi_effect effect;
};

struct process {
	bool alive;
	int counter;       /* index of the process that counts the memory */
	size_t real;       /* bytes of the memory; 0 where another one counts it */
	size_t credit;     /* of it, what a fork copied for free */
	struct call calls[THREADS];
	pid_t first_thread;
	struct vmsi_account_process account;
	struct shadow shadow;
};

/* A child that has not made a request yet. */
struct unseen {
	bool alive;
	int parent;        /* -1: the parent has ended */
	size_t real;
};

struct world {
	const struct account_numbers *numbers;
	void (*wrong)(const char *what);
	struct vmsi_account account;
	bool forks_are_free, forks_often;
	struct process processes[PROCESSES];
	struct unseen unseen[UNSEEN];
	size_t objects;    /* bytes */
	struct shadow_peak peak;
	pid_t next_thread;
	char last[120];
	struct account_counts counts;
};

extern struct world world;

/* Return the next number of the schedule, below a limit that is not 0. */
size_t kernel_below(size_t limit);
void kernel_require(bool condition, const char *what);

/* Return bytes - other, or 0 if that is negative. */
size_t kernel_less(size_t bytes, size_t other);

/*
 * Return the bytes of private memory that the account counts for an object already.
 */
size_t about_to_be_replaced(int counter);

/* Return what the account counts for all processes of a counter. */
size_t said_of_memory(int counter);

/* Return what the account counts as not yet replaced by objects. */
size_t said_to_be_replaced(int counter);

/* Return how many bytes the account must cover, and those of children not seen. */
size_t real_sum(void);
size_t real_unseen(void);

/* Check all that must hold after each step. */
void kernel_check(void);

/* Return a random process, or NULL if there is none. */
struct process *some_process(void);
int index_of(const struct process *process);
struct process *counter_of(const struct process *process);
pid_t thread_of(const struct process *process, int t);

/* Return a new process, or NULL if there are enough. */
struct process *add_process(void);

/* Let the kernel make a call, if it can. */
void kernel_make(struct process *process, struct call *call);

/* Let a thread's call succeed or fail, and the thread go on. */
void come_back(struct process *process, int t);

/* Tell the account figures of a process. */
void kernel_tell_figures(struct process *process, size_t figures);

/* Look at a process, and tell the account what there is. */
void kernel_look(struct process *process);

/* Let a child make its first request or be found; return false if none fits. */
bool kernel_see(struct unseen *unseen);
void look_at_all(void);

#endif
