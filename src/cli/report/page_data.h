/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PAGE_DATA_H
#define VMSI_CLI_PAGE_DATA_H

#include "cli/report/lives.h"
#include "cli/report/page_tables.h"

/*
 * What the page has of a recording, by number, so that a million of lives are small:
 * a browser reads a page of 20 MiB in half the time of one of 40.
 */
struct vmsi_page_data {
	const struct vmsi_recording *recording;
	struct vmsi_lives lives; /* without those that lived for no time */
	struct vmsi_page_calls calls;
	uint64_t *times;         /* when anything began or ended; ascending, each once */
	uint64_t *starts;        /* addresses where a life starts; ascending, each once */
	size_t time_count, start_count;
	/* Of each life, a number in times, how many times it is to its end, and in starts. */
	uint32_t *begins, *spans, *places; /* a span of 0 has no end */
	uint32_t *limits, *machines;       /* the events that tell of them */
	size_t limit_count, machine_count;
};

/*
 * Gather the data of a recording. Returns 0 or -ENOMEM; they need vmsi_page_data_free in
 * both cases.
 */
int vmsi_page_data_gather(struct vmsi_page_data *data,
			  const struct vmsi_recording *recording);

void vmsi_page_data_free(struct vmsi_page_data *data);

/* The number of the call's name, or how many there are. */
size_t vmsi_page_call_number(const struct vmsi_page_data *data, const char *call);

#endif
