/* SPDX-License-Identifier: MIT */
#include "group/account/marks.h"

#include <stdint.h>

/*
 * The sum must fall below a mark by this part of it before the mark is told
 * again, so that a program which goes up and down at the mark is told once.
 */
#define HYSTERESIS 20

static size_t again_below(const struct vmsi_mark *mark)
{
	return mark->at - mark->at / HYSTERESIS;
}

static bool is_waiting(const struct vmsi_mark *mark)
{
	return mark->at && mark->state == VMSI_MARK_WAITING;
}

void vmsi_marks_set(struct vmsi_marks *marks, const size_t at[VMSI_MARKS])
{
	for (size_t i = 0; i < VMSI_MARKS; i++) {
		marks->list[i].at = at[i];
		if (at[i] == 0)
			marks->list[i].state = VMSI_MARK_WAITING;
	}
}

size_t vmsi_marks_next(const struct vmsi_marks *marks)
{
	size_t next = SIZE_MAX;

	for (size_t i = 0; i < VMSI_MARKS; i++)
		if (is_waiting(&marks->list[i]) && marks->list[i].at < next)
			next = marks->list[i].at;
	return next;
}

size_t vmsi_marks_again(const struct vmsi_marks *marks)
{
	size_t most = 0;

	for (size_t i = 0; i < VMSI_MARKS; i++)
		if (marks->list[i].state == VMSI_MARK_TOLD &&
		    again_below(&marks->list[i]) > most)
			most = again_below(&marks->list[i]);
	return most;
}

void vmsi_marks_fell_to(struct vmsi_marks *marks, size_t sum)
{
	for (size_t i = 0; i < VMSI_MARKS; i++)
		if (marks->list[i].state == VMSI_MARK_TOLD &&
		    sum < again_below(&marks->list[i]))
			marks->list[i].state = VMSI_MARK_WAITING;
}

void vmsi_marks_rose_to(struct vmsi_marks *marks, size_t sum)
{
	for (size_t i = 0; i < VMSI_MARKS; i++)
		if (is_waiting(&marks->list[i]) && sum >= marks->list[i].at)
			marks->list[i].state = VMSI_MARK_UNTOLD;
}

void vmsi_marks_take_back(struct vmsi_marks *marks)
{
	for (size_t i = 0; i < VMSI_MARKS; i++)
		if (marks->list[i].state == VMSI_MARK_UNTOLD)
			marks->list[i].state = VMSI_MARK_WAITING;
}

int vmsi_marks_take_untold(struct vmsi_marks *marks)
{
	int lowest = -1;

	for (int i = 0; i < VMSI_MARKS; i++)
		if (marks->list[i].state == VMSI_MARK_UNTOLD &&
		    (lowest < 0 || marks->list[i].at < marks->list[lowest].at))
			lowest = i;
	if (lowest >= 0)
		marks->list[lowest].state = VMSI_MARK_TOLD;
	return lowest;
}
