/* SPDX-License-Identifier: MIT
 *
 * Limits of control groups, kept by the kernel: programs of BPF that stay, pinned below
 * VMSI_BPF_PINS, when the process that loaded them has gone. All calls need root, or
 * CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN of the first user namespace. They return 0 or
 * -errno, and set *step to what failed, in words. They are for one thread; processes
 * wait for each other by a lock on the directory of pins.
 */
#ifndef VMSI_KEEPER_KEEPER_H
#define VMSI_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMSI_BPF_PINS "/sys/fs/bpf/vmspace"

/* The most groups that have a limit at a time. */
#define VMSI_BPF_LIMITS 64

/* One that has a limit; sizes in bytes. */
struct vmsi_bpf_group {
	uint64_t id; /* the number of the control group's directory */
	uint64_t limit;
	uint64_t committed;
	uint64_t refused; /* requests */
	uint64_t forced;  /* bytes that were let through, above the limit or not */
};

/*
 * Set or change the limit of a control group, by a descriptor of its directory. The
 * programs are loaded where they are not. ENOTSUP: the directory is none of cgroup v2;
 * ENOSPC: as many groups have a limit as can; EPERM, EACCES: no rights, or the kernel
 * is locked down; others are the kernel's.
 */
int vmsi_bpf_set(int directory, uint64_t bytes, const char **step);

/* Take a limit away. ENOENT: it had none. */
int vmsi_bpf_clear(int directory, const char **step);

/*
 * The groups that have a limit, of which there may be none, in groups[0..*count). lost:
 * memories that are in no account, since there was no room.
 */
int vmsi_bpf_list(struct vmsi_bpf_group groups[VMSI_BPF_LIMITS], size_t *count,
		  uint64_t *lost, const char **step);

#endif
