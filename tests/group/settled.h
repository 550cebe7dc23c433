/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GROUP_SETTLED_H
#define VMSI_TESTS_GROUP_SETTLED_H

#include "group_fixture.h"

/*
 * Whether a group's sum is right, by figures that know nothing of the group's
 * count: while all its processes stand still, the program's step "settled" asks
 * for all that is left, which fits, and for a little more, which does not.
 */

/* The pipe by which the step is told what to ask for. */
struct asks {
	int from, to;
};

struct asks make_asks(void);

/* Serves until the step is taken. */
void expect_right_sum(struct asked *asked, struct asks *asks);

/* The program takes its next step. */
void let_go_on(struct asks *asks);

/* The caller's descendants, with zombies that were not waited for. */
struct descendants {
	size_t living, zombies;
	size_t committed;   /* private memory, for the kernel */
};

struct descendants descendants(void);

/* A teardown: nothing of a test that has failed stays for the next one. */
int clear_up(void **state);

#endif
