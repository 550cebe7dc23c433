/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GROUP_STEPS_H
#define VMSI_TESTS_GROUP_STEPS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Programs of a group that take one step after the other, and write a line for
 * each to the descriptor that their first argument names: the step, and what
 * came of it: "ok" or an errno.
 *
 * usage: PROGRAM DESCRIPTOR STEP[=NUMBER]...
 */

struct step {
	const char *name;
	int (*take)(size_t number); /* 0 or an errno */
};

/* NULL ends the list. Numbers are told in a unit. */
int take_steps(int argc, char **argv, const struct step *steps, size_t unit);

/* Nothing is told by way of malloc: it would ask for memory itself. */
void say(const char *step, const char *what);
void say_number(const char *step, size_t number);

/* Of the descriptor, as the first argument of another image. */
const char *said_to(void);

/* 0, or errno where a call has answered -1. */
int answer(long result);

/* What a child ends with, an errno; or why there is none. */
int wait_for(pid_t child);

/*
 * A step: maps as many bytes as it reads, each as a size_t, from a descriptor,
 * and unmaps them; until there is no more to read.
 */
int do_settled(size_t descriptor);

/* Memory of all processes that come from this one. */
void *share(size_t bytes);

double now(void);

#endif
