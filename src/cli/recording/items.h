/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RECORDING_ITEMS_H
#define VMSI_CLI_RECORDING_ITEMS_H

#include "cli/recording/recording.h"

/* The items of frames, as they are read. */

/* Bytes that are read from left to right. It is damaged after a read that failed. */
struct vmsi_bytes {
	const unsigned char *at, *end;
	bool is_damaged;
};

/* What a recording is read into. */
struct vmsi_reader {
	struct vmsi_recording *recording;
	uint64_t time;
	uint32_t process;  /* that is spoken of */
	uint64_t position; /* the end of the last place in it */
	bool is_finished;  /* the item of the end was read */
	bool is_unordered; /* something was told late */
	size_t process_capacity, owner_capacity, stack_capacity, event_capacity;
};

uint64_t vmsi_bytes_number(struct vmsi_bytes *bytes);
/* A text without bytes of 0, malloc's; NULL without memory, or where it is damaged. */
char *vmsi_bytes_text(struct vmsi_bytes *bytes);

/*
 * Read an item. Returns 0; -EPROTO where it is damaged, or not known; -ENOMEM. The
 * recording may be freed afterwards in any case.
 */
int vmsi_item_read(struct vmsi_reader *reader, struct vmsi_bytes *bytes);

#endif
