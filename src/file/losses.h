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
 *   whole --the handler notes it, and then maps zeros--> lost
 *   lost  --vmsi_losses_mend maps the file over it, in every view--> whole
 *
 * A page is noted before its zeros can be seen: its bit first, then count. So an
 * access has seen zeros only if count is, at its end, another than mended was at its
 * beginning; and count is that only if something was lost since, or had been lost
 * then.
 */
struct vmsi_losses {
	_Atomic uint64_t count;   /* losses so far */
	_Atomic uint64_t mended;  /* of these, mended again */
	_Atomic uint64_t outside; /* of these, outside of an access */
	/*
	 * The offset of the first page lost since the last mending, and in the bits
	 * below a page why: VMSI_LOSS_*. One that is lost while a mending ends may be
	 * passed over here: then it is what it was before.
	 */
	_Atomic uint64_t first;
	/* The pages that were ever lost are in [low, high). */
	_Atomic uint64_t low, high;
	/*
	 * A bit for each unit of 2^shift pages of the file up to its maximum: one of
	 * them is lost. Addresses only, until a page is lost. low and high are units.
	 */
	unsigned shift;
	_Atomic uint64_t *pages;
	size_t pages_bytes;
};

/* Pages of a file, by their numbers; half-open. */
struct vmsi_lost_run {
	uint64_t first, end;
};

/*
 * How exact the marks are. ROUGHLY: where one for each page, up to the maximum, would
 * take more than 64 MiB of addresses, a mark is of several: a file that has windows only
 * may have any maximum. What is lost beside a page may then count as lost.
 */
enum vmsi_losses_marks { VMSI_LOSSES_EXACTLY, VMSI_LOSSES_ROUGHLY };

/* Returns 0 or -ENOMEM. Closed when the views of the file have been removed. */
int vmsi_losses_open(struct vmsi_losses *losses, uint64_t maximum,
		     enum vmsi_losses_marks marks);
void vmsi_losses_close(struct vmsi_losses *losses);

/*
 * Note that pages are lost, before zeros are mapped. error: EIO or ENXIO. Called by
 * the handler. false: they are not below the maximum.
 */
bool vmsi_losses_note(struct vmsi_losses *losses, struct vmsi_lost_run run,
		      int error, bool outside);

/* Whether any page of [offset, offset + length) is lost. */
bool vmsi_losses_has(const struct vmsi_losses *losses, uint64_t offset,
		     uint64_t length);

/* Where the first loss was, and why: returns EIO or ENXIO. */
int vmsi_losses_first(const struct vmsi_losses *losses, uint64_t *offset);

/* 0, or -EIO or -ENXIO: some of a range is lost, and why the first of the file was. */
int vmsi_losses_why(const struct vmsi_losses *losses, uint64_t offset,
		    uint64_t length);

/* --- for the mending -------------------------------------------------------------- */

/* The first pages that are lost, one behind the other, from a page on. */
bool vmsi_losses_next(const struct vmsi_losses *losses, uint64_t page,
		      struct vmsi_lost_run *run);

enum vmsi_loss_mark { VMSI_LOST, VMSI_WHOLE };
void vmsi_losses_mark(struct vmsi_losses *losses, struct vmsi_lost_run run,
		      enum vmsi_loss_mark mark);

/*
 * Map the file over each lost part again, in all of its views. Called with the
 * lock of the file. Returns 0 or -errno: some parts may still be lost.
 */
int vmsi_losses_mend(struct vms_file *file);

#endif
