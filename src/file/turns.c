/* SPDX-License-Identifier: MIT */
#include "file/turns.h"

#include "base/lock.h"
#include "host/host.h"

/*
 * How often a leader gives way to others before it begins. With a processor for each
 * thread this is some 100 us at most, a fraction of an fdatasync.
 */
#define YIELDS 64

void vmsi_turns_init(struct vmsi_turns *turns)
{
	*turns = (struct vmsi_turns){ .under_way = false };
	pthread_mutex_init(&turns->mutex, NULL);
	pthread_cond_init(&turns->changed, NULL);
}

bool vmsi_turns_come(struct vmsi_turns *turns, struct vmsi_comer *comer,
		     int *error)
{
	bool leads;

	pthread_mutex_lock(&turns->mutex);
	*comer = (struct vmsi_comer){ .next = turns->comers };
	turns->comers = comer;
	turns->waiting++;
	while (!comer->done && turns->under_way)
		vmsi_wait_for_change(&turns->changed, &turns->mutex);
	leads = !comer->done;
	if (leads)
		turns->under_way = true;
	else
		*error = comer->error;
	pthread_mutex_unlock(&turns->mutex);
	return leads;
}

/*
 * Without this, a turn of one would leave behind the seven that the turn before has
 * served, who come again just after it has begun, and every second turn would serve
 * one thread alone.
 */
static void wait_for_expected(struct vmsi_turns *turns)
{
	for (unsigned i = 0; i < YIELDS && turns->waiting < turns->expected; i++) {
		pthread_mutex_unlock(&turns->mutex);
		vmsi_host.yield();
		pthread_mutex_lock(&turns->mutex);
	}
}

void vmsi_turns_begin(struct vmsi_turns *turns)
{
	pthread_mutex_lock(&turns->mutex);
	wait_for_expected(turns);
	turns->served = turns->comers;
	turns->serving = turns->waiting;
	turns->comers = NULL;
	turns->waiting = 0;
	pthread_mutex_unlock(&turns->mutex);
}

void vmsi_turns_end(struct vmsi_turns *turns, int error)
{
	pthread_mutex_lock(&turns->mutex);
	for (struct vmsi_comer *comer = turns->served; comer;) {
		struct vmsi_comer *next = comer->next;

		comer->error = error;
		comer->done = true; /* and it is gone when it sees that */
		comer = next;
	}
	turns->served = NULL;
	turns->expected = turns->serving + turns->waiting;
	turns->under_way = false;
	pthread_cond_broadcast(&turns->changed);
	pthread_mutex_unlock(&turns->mutex);
}
