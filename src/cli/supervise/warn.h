/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_WARN_H
#define VMSI_CLI_SUPERVISE_WARN_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/group.h>

#include "cli/command.h"
#include "cli/supervise/errors.h"

/* What is done when a group comes near its limit. */

/* The thresholds, which are also the indices of the group's marks. */
enum vmsi_stage {
	VMSI_STAGE_WARN,  /* --warn-at */
	VMSI_STAGE_GRACE, /* --grace */
	VMSI_STAGES,
};

_Static_assert((int)VMSI_STAGES <= VMS_GROUP_MARKS, "each stage has a mark");

/* Who gets the signal. */
enum vmsi_whom { VMSI_WHOM_FIRST, VMSI_WHOM_ALL, VMSI_WHOM_LARGEST };

struct vmsi_threshold {
	const char *text; /* as it was given; NULL: it was not */
	size_t bytes;     /* 0: parts of the limit are meant */
	double parts;     /* of the limit, from 0 to 1 */
};

struct vmsi_warn_options {
	struct vmsi_threshold at[VMSI_STAGES];
	int signals[VMSI_STAGES]; /* 0: none */
	enum vmsi_whom whom;
	const char *command; /* for the shell; NULL: none */
	/* An option that makes no sense without a threshold; NULL: none came. */
	const char *needs_threshold;
	int runner;          /* a socket to who runs the command; -1: nobody */
};

/* Rows of a table of options. */
#define VMSI_WARN_OPTIONS \
	{ .name = "warn-at", .value = VMSI_OPTION_WARN_AT, \
	  .argument = "SIZE|PERCENT%", \
	  .help = "tell once that so much is in use" }, \
	{ .name = "signal", .value = VMSI_OPTION_SIGNAL, \
	  .flags = VMSI_OPTION_IS_RARE, .argument = "NAME", \
	  .completion = VMSI_COMPLETE_SIGNAL, \
	  .help = "and send a signal; none" }, \
	{ .name = "on-warn", .value = VMSI_OPTION_ON_WARN, \
	  .flags = VMSI_OPTION_IS_RARE, .argument = "COMMAND", \
	  .help = "and run a command of the shell" }, \
	{ .name = "warn-whom", .value = VMSI_OPTION_WARN_WHOM, \
	  .flags = VMSI_OPTION_IS_RARE, .argument = "WHOM", \
	  .completion = VMSI_COMPLETE_WORDS, .words = "first all largest", \
	  .help = "who gets the signals: first, all or largest; first" }, \
	{ .name = "grace", .value = VMSI_OPTION_GRACE, \
	  .flags = VMSI_OPTION_IS_RARE, .argument = "SIZE|PERCENT%", \
	  .help = "a second threshold, with a signal" }, \
	{ .name = "grace-signal", .value = VMSI_OPTION_GRACE_SIGNAL, \
	  .flags = VMSI_OPTION_IS_RARE, .argument = "NAME", \
	  .completion = VMSI_COMPLETE_SIGNAL, .help = "which signal; TERM" }

void vmsi_warn_init(struct vmsi_warn_options *warn);

/* Take a size or a percentage as a threshold. */
enum vmsi_exit vmsi_warn_take_threshold(const char *program, const char *text,
					struct vmsi_threshold *threshold);

/* Take the name of a signal, with SIG before it or without, or its number. */
enum vmsi_exit vmsi_warn_take_signal(const char *program, const char *text,
				     int *number);

/* "--warn-at"; and "warn", as commands and reports are told */
const char *vmsi_stage_option(enum vmsi_stage stage);
const char *vmsi_stage_word(enum vmsi_stage stage);

/* Report thresholds that do not go together, or with the limit. */
enum vmsi_exit vmsi_warn_check(const struct vmsi_warn_options *warn,
			       const char *program, size_t limit);

/* The marks of a group with this limit. */
void vmsi_warn_marks(const struct vmsi_warn_options *warn, size_t limit,
		     size_t marks[VMS_GROUP_MARKS]);

/* "USR1"; a number where it has no name here. */
struct vmsi_signal_text {
	char text[16];
};

struct vmsi_signal_text vmsi_signal_text(int number);

/* --- warning.c ------------------------------------------------------------ */

struct vmsi_warning {
	const struct vmsi_warn_options *options;
	const char *program; /* "vmspace limit", for messages */
	struct vmsi_errors *errors; /* where they go */
	enum { VMSI_WARNING_TOLD, VMSI_WARNING_QUIET } told;
	uint64_t counts[VMSI_STAGES]; /* how often each threshold was reached */
};

/* The on_mark of struct vms_group_options; its context is a warning. */
void vmsi_warning_reached(void *warning, vms_group *group,
			  const struct vms_group_mark *mark);

#endif
