/* SPDX-License-Identifier: MIT */
#ifndef VMSI_KEEPER_PINS_H
#define VMSI_KEEPER_PINS_H

/* The programs as they are pinned: found, or loaded and pinned. */

struct vmsi_bpf_pins {
	int lock; /* on the file system of pins; the others are only used under it */
	int slots, limits, states; /* maps */
	int look;                  /* a link: who reads it enters tasks */
	int count, forget;         /* programs */
};

enum vmsi_bpf_open { VMSI_BPF_FIND, VMSI_BPF_LOAD };

/* Returns 0 or -errno; ENOENT of VMSI_BPF_FIND: there are none. */
int vmsi_bpf_open(struct vmsi_bpf_pins *pins, enum vmsi_bpf_open how,
		  const char **step);

/* Under the lock: nothing is limited, and nobody has a price to pay. */
int vmsi_bpf_remove(void);

void vmsi_bpf_close(struct vmsi_bpf_pins *pins);

#endif
