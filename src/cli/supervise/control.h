/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_CONTROL_H
#define VMSI_CLI_SUPERVISE_CONTROL_H

#include <stdint.h>

#include "cli/supervise/kept_limit.h"

/*
 * Who asks a running supervisor, and what it answers. It listens on a socket with an
 * abstract name, VMSI_CONTROL_PREFIX and 16 random hexadecimal digits:
 *
 * - It has no file, so it needs no directory that can be written to, and nothing is
 *   left of a supervisor that was killed, nor half of a record.
 * - /proc/net/unix lists the names. Anybody may take one that begins so, and connect to
 *   one; the kernel tells each side the user of the other (SO_PEERCRED), and both
 *   go by that alone.
 * - Messages come whole (SOCK_SEQPACKET). One of another size is none.
 *
 * A network namespace has names of its own.
 */
#define VMSI_CONTROL_PREFIX "vmspace-limit/"
#define VMSI_CONTROL_DIGITS 16
#define VMSI_CONTROL_VERSION 1
#define VMSI_CONTROL_NAME_MAX 63

/* Where a limit comes from, as struct vmsi_limit_source. */
struct vmsi_control_source {
	uint32_t kind;
	uint32_t is_machines; /* told: no control group limits it, so the machine does */
	double parts;
};

struct vmsi_control_request {
	uint32_t version;
	uint32_t what;  /* enum vmsi_control_what */
	uint64_t limit; /* bytes, of VMSI_CONTROL_SET; not used with a source */
	struct vmsi_control_source source; /* of VMSI_CONTROL_SET */
};

enum vmsi_control_what {
	VMSI_CONTROL_SHOW,   /* answered by the figures */
	VMSI_CONTROL_SET,    /* sets the limit; likewise */
	VMSI_CONTROL_FOLLOW, /* likewise, and again whenever they have changed */
};

struct vmsi_control_figures {
	uint32_t version;
	uint32_t error;     /* an errno: the request was refused */
	uint32_t state;     /* enum vmsi_control_state */
	int32_t status;     /* of the first process, where it has ended */
	int32_t first;      /* its number */
	uint32_t processes;
	uint64_t limit;     /* bytes */
	uint64_t committed;
	uint64_t peak;
	uint64_t refusals;
	uint64_t age;       /* nanoseconds */
	char name[VMSI_CONTROL_NAME_MAX + 1];
	struct vmsi_control_source source; /* of the limit */
};

enum vmsi_control_state {
	VMSI_CONTROL_RUNS,
	VMSI_CONTROL_FIRST_ENDED, /* others live on */
	VMSI_CONTROL_EMPTY,       /* told to those who follow */
};

/* The supervisor's side. */
struct vmsi_control;

/*
 * Listen for requests about a group and its limit, and have vms_group_serve wait for
 * them. Returns NULL with errno set where that cannot be done: the group is not listed
 * then.
 */
struct vmsi_control *vmsi_control_open(struct vmsi_kept_limit *limit,
				       const char *program);

/* Answer what has come. Never waits. */
void vmsi_control_serve(struct vmsi_control *control);

/* Tell those who follow, if the figures have changed. */
void vmsi_control_tell(struct vmsi_control *control);

/* The first process has ended, or all have. */
void vmsi_control_set_state(struct vmsi_control *control,
			    enum vmsi_control_state state);

void vmsi_control_close(struct vmsi_control *control);

#endif
