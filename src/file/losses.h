/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_LOSSES_H
#define VMSI_FILE_LOSSES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vms_file;

/*
 * The lost parts of a file: pages of it that could not be read when they were
 * touched, and in whose place zeros were mapped. They are written by the handler
 * of SIGBUS, so everything here is atomic and takes no lock.
 *
 * A page is lost from when the handler notes it until vmsi_losses_mend has mapped
 * the file over it again, in every view. An access has seen zeros if and only if
 * count has changed since it began, or was ahead of mended then.
 */
struct vmsi_losses {
	_Atomic uint64_t count;   /* losses so far */
	_Atomic uint64_t mended;  /* of these, mended again */
	_Atomic uint64_t outside; /* of these, outside of an access */
	_Atomic uint64_t first;   /* offset of the first page lost since the last mending */
	_Atomic int error;        /* of that one: EIO or ENXIO */
	/*
	 * A bit for each page of the file up to its maximum: lost. Addresses only,
	 * until a page is lost.
	 */
	_Atomic uint64_t *pages;
	size_t pages_bytes;
};

/* Returns 0 or -ENOMEM. */
int vmsi_losses_open(struct vmsi_losses *losses, uint64_t maximum);
void vmsi_losses_close(struct vmsi_losses *losses);

/*
 * Map the file over each lost part again, in all of its views. Called with the
 * lock of the file. Returns 0 or -errno: some parts may still be lost.
 */
int vmsi_losses_mend(struct vms_file *file);

/* Whether any page of [offset, offset + length) is lost. */
bool vmsi_losses_has(const struct vmsi_losses *losses, uint64_t offset,
		     uint64_t length);

#endif
