/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_AREA_RECOVER_H
#define VMSI_POOL_AREA_RECOVER_H

#include "pool/area/area.h"

/*
 * Find out what a run that was not closed has left in an area, and write the pages of
 * it once more. Sets identity and mended of the area: how many the file had otherwise. Whatever bytes
 * the area has, only pages of the file that are in whole batches are written, and the
 * file becomes no longer than the page at its end. Returns 0; else nothing of it was
 * settled:
 * EEXIST   it is no area: something else is in it
 * EBADMSG  it is damaged, so that pages of the file may be torn that it should have
 * ENOTSUP  it is of another version
 * ESTALE   it has pages of another file
 * EROFS    it has what the file has not, and is only to be read
 * ENOMEM, EIO and others: as reading and writing.
 */
int vmsi_area_recover(struct vmsi_area *area, struct vmsi_store *store);

#endif
