/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_KERNEL_H
#define ACCOUNT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "account_world.h"
#include "group/account/account.h"

/*
 * What there is (account_world.h): processes, their memory and calls, children
 * that nobody has seen; and how the account is told of it by looks.
 */

#define PROCESSES 10
#define THREADS 3
#define UNSEEN 24
#define MOST_BYTES 100

/* A call that was let through. */
struct call {
	bool active;       /* it has not returned */
	bool made;
	struct vmsi_effect effect;
};

struct process {
	bool alive;
	int counter;       /* the process that counts its memory, or itself */
	size_t real;       /* bytes of the memory; 0 where another one counts it */
	size_t credit;     /* of it, what a fork copied for free */
	struct call calls[THREADS];
	pid_t first_thread;
	struct vmsi_account_process account;
};

/* A child that was made and has not asked for anything yet. */
struct unseen {
	bool alive;
	int parent;        /* -1: it has ended, and so the child is an orphan */
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
	size_t most;       /* the highest sum so far, without twice */
	pid_t next_thread;
	char last[120];
	struct account_counts counts;
};

extern struct world world;

/* The next number of the schedule, below a limit that is not 0. */
size_t kernel_below(size_t limit);
void kernel_require(bool condition, const char *what);

/* A difference, or 0. */
size_t kernel_less(size_t bytes, size_t other);

/*
 * Bytes of private memory that count for an object already and are there still.
 */
size_t about_to_be_replaced(int counter);

/* What the account says of all processes that a counter counts for. */
size_t said_of_memory(int counter);

/* Likewise, of memory that objects may not have replaced yet. */
size_t said_to_be_replaced(int counter);
size_t real_sum(void);

/* Note the sum, if it is the highest so far. */
void note_most(void);

/* All that must hold after each step. */
void kernel_check(void);

/* NULL: there is none. */
struct process *some_process(void);
int index_of(const struct process *process);
struct process *counter_of(const struct process *process);
pid_t thread_of(const struct process *process, int t);

/* NULL: there are enough. */
struct process *add_process(void);

/* The kernel makes a call, where it can. */
void kernel_make(struct process *process, struct call *call);

/* The call of a thread is made or fails, and the thread runs on. */
void come_back(struct process *process, int t);

/* The account is told the figures of a process. */
void kernel_look(struct process *process);

/* A child asks, or is found. Returns whether there was a place for it. */
bool kernel_see(struct unseen *unseen);
void look_at_all(void);

#endif
