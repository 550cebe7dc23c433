/* SPDX-License-Identifier: MIT */
#ifndef VMSI_POOL_AREA_READ_H
#define VMSI_POOL_AREA_READ_H

#include "pool/area/area.h"

/* What an area has is read back: after a stop, and where the file could not be written. */

struct vmsi_area_reader {
	int fd;
	const struct vmsi_area_header *header;
	struct vmsi_area_head *head;   /* of the batch that is looked at */
	struct vmsi_area_head *later;  /* of one behind it */
	char *image, *home;            /* a page of it, and of the file */
	char *memory;
	size_t bytes;
};

/* Take memory for it. Returns 0 or -ENOMEM. */
int vmsi_area_reader_open(struct vmsi_area_reader *reader, int fd,
			  const struct vmsi_area_header *header);
void vmsi_area_reader_close(struct vmsi_area_reader *reader);

/* Read the head of a place, whatever it is. Returns 0 or -errno. */
int vmsi_area_read_head(struct vmsi_area_reader *reader, uint64_t sequence,
			struct vmsi_area_head *head);

/* Whether a batch is there with all its images; head is that of it then. */
int vmsi_area_look_at_batch(struct vmsi_area_reader *reader, uint64_t sequence,
			    bool *is_whole);

/*
 * Write the latest images of pages in batches behind settled up to last, which are whole,
 * to the file: of each page one. Others may read these pages from the file meanwhile, where
 * it has that image. *differing: how many pages were otherwise; is_read_only: nothing is
 * written, and -EROFS if there is one. Returns 0 or -errno, -EBADMSG if they are whole no
 * more.
 */
int vmsi_area_mend(struct vmsi_area_reader *reader, struct vmsi_store *store,
		   uint64_t settled, uint64_t last, bool is_read_only,
		   uint64_t *differing);

#endif
