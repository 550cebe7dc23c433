/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RECORDING_REPLAY_H
#define VMSI_CLI_RECORDING_REPLAY_H

#include "cli/recording/by_start.h"
#include "cli/recording/recording.h"

/*
 * What there was at a moment of a recording: its events are applied one after the
 * other, and the sums of each owner are kept.
 */

/* What an owner has. Bytes. */
struct vmsi_recorded_sum {
	uint64_t size;      /* addresses that may be used */
	uint64_t reserved;  /* addresses that may not */
	uint64_t commit;
	uint64_t anonymous, file, swapped;
	uint64_t mappings;  /* how many */
};

static inline uint64_t vmsi_recorded_resident(const struct vmsi_recorded_sum *sum)
{
	return sum->anonymous + sum->file;
}

struct vmsi_replay {
	const struct vmsi_recording *recording;
	size_t next;                    /* the event that comes next */
	struct vmsi_recorded_sum *sums; /* of each owner of the recording */
	struct vmsi_recorded_sum total;
	/* Whose sums the last call changed, each once. */
	uint32_t *changed;
	size_t changed_count;
	bool *is_changed;               /* of each owner */
	struct vmsi_by_start *mappings; /* of each process: numbers in living */
	struct vmsi_recorded_event *living;
	size_t living_count, living_capacity;
	/* A number that no mapping has; process is the next such one of it. */
	uint32_t unused;
};

/* Begin before the first event. Returns 0, or -ENOMEM and there is nothing to close. */
int vmsi_replay_open(struct vmsi_replay *replay,
		     const struct vmsi_recording *recording);

/*
 * Apply all events up to a time, that time included. Returns 0 or -ENOMEM, and what
 * there is then is not known.
 */
int vmsi_replay_to(struct vmsi_replay *replay, uint64_t time);

/* Apply the next event, if there is one. The same. */
int vmsi_replay_next(struct vmsi_replay *replay);

/*
 * Apply all events of the next time at which there are some. Returns 1 and the time; 0
 * at the end; -ENOMEM.
 */
int vmsi_replay_moment(struct vmsi_replay *replay, uint64_t *time);

/* Call back for each mapping of a process, in ascending order of address. */
void vmsi_replay_each(const struct vmsi_replay *replay, uint32_t process,
		      void (*call)(void *context,
				   const struct vmsi_recorded_event *mapping),
		      void *context);

void vmsi_replay_close(struct vmsi_replay *replay);

#endif
