/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_SHADOW_H
#define ACCOUNT_SHADOW_H

#include <stddef.h>

/*
 * A shadow of the account: what the supervisor has been told of each process, so
 * that the peaks can be held between two bounds. It keeps no sums and no pending
 * calls. What is pending it takes from the world, and what there is as well.
 */

struct process;
struct vmsi_effect;

/* What the account may say of a process; all in bytes. */
struct shadow {
	size_t figures;    /* of the last look, without the credit */
	size_t since;      /* granted after it */
	size_t doubtful;   /* under way during it: in the figures, or not */
	size_t low, high;  /* the bounds of the process's peak */
};

/* The bounds of a sum of the group, or of its peak. */
struct shadow_peak {
	size_t low, high;
};

/* The account was told of an event. */
void shadow_looked(struct process *process, size_t figures);
void shadow_granted(struct process *process, const struct vmsi_effect *effect);
void shadow_withdrawn(struct process *process, const struct vmsi_effect *effect,
		      size_t given_up);
void shadow_gave_up(struct process *process, size_t bytes);
void shadow_grew(struct process *process, size_t bytes);
void shadow_born(struct process *process, size_t bytes);
void shadow_handed_over(struct process *from, struct process *to);
void shadow_left(struct process *from, struct process *to);

/*
 * Return what the sum of the group is, each byte once: at least what there is and
 * cannot be in doubt, and at most what the supervisor was told.
 */
struct shadow_peak shadow_reached(void);

/* The account was told to take such a sum for a peak. */
void shadow_raise_peak(struct shadow_peak reached);

/* The program of a process, or all of the process, is over. */
void shadow_note_last(const struct process *process, size_t peak_before);

/* Check each peak against its bounds. */
void shadow_check(void);

#endif
