/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GROUP_FIXTURE_H
#define VMSI_TESTS_GROUP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <vmspace/group.h>

/* Groups of the program asker, whose path is the first argument of a test. */

#define MIB ((size_t)1 << 20)
#define LIMIT (64 * MIB)

/* A group whose first process is an asker, and what that has said. */
struct asked {
	vms_group *group;
	int lines;        /* a pipe */
	size_t peak_most; /* of what the group may tell; see finish */
	char said[8192];
	size_t length;
};

/* Skips the whole program where groups do not work; takes the arguments. */
void need_groups(int argc, char **argv);
const char *asker_path(void);

/* Groups that are started from now on run another program. */
void use_program(const char *path);

/* 64 MiB, strict. */
struct vms_group_options default_options(void);

/* Steps as words: "mmap=10 fork". */
struct asked start(const struct vms_group_options *options, const char *steps);

/* Serve until an event, at most twenty seconds; reads what is said. */
void serve_until(struct asked *asked, enum vms_group_event event);

/* Serve until a line has been said. */
void serve_until_said(struct asked *asked, const char *line);

/* To its end: what was said, and all has ended and come back. */
void expect_said(const struct vms_group_options *options, const char *steps,
		 const char *said);

struct vms_group_stats stats_of(vms_group *group);

/* A living process besides the first, from the group's own list; 0: none. */
pid_t child_in(vms_group *group);

/*
 * Kill what lives, serve it to its end, close. The peak of a strict group must
 * not have passed its limit: a test in which memory comes that nobody asks for
 * raises peak_most before.
 */
void finish(struct asked *asked);

#endif
