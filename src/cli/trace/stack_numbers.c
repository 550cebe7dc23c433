/* SPDX-License-Identifier: MIT */
#include "cli/trace/stack_numbers.h"

#include <stdlib.h>
#include <string.h>

#include "cli/hash.h"
#include "cli/output/demangle.h"

#define FIRST_PLACES 64

/* The place of a stack, or the free one where it belongs. */
static struct vmsi_stack_number *place_of(const struct vmsi_stack_numbers *numbers,
					  uint64_t hash, const char *lines)
{
	size_t at = hash & (numbers->capacity - 1);

	while (numbers->places[at].lines &&
	       (numbers->places[at].hash != hash ||
		strcmp(numbers->places[at].lines, lines) != 0))
		at = (at + 1) & (numbers->capacity - 1);
	return &numbers->places[at];
}

/* At least half of the places are free. */
static bool make_room(struct vmsi_stack_numbers *numbers)
{
	struct vmsi_stack_numbers larger = {
		.count = numbers->count,
		.capacity = numbers->capacity ? 2 * numbers->capacity :
						FIRST_PLACES,
	};

	if (2 * (numbers->count + 1) <= numbers->capacity)
		return true;
	larger.places = calloc(larger.capacity, sizeof(*larger.places));
	if (!larger.places)
		return false;
	for (size_t i = 0; i < numbers->capacity; i++) {
		const struct vmsi_stack_number *place = &numbers->places[i];

		if (place->lines)
			*place_of(&larger, place->hash, place->lines) = *place;
	}
	free(numbers->places);
	*numbers = larger;
	return true;
}

bool vmsi_stack_is_known(const struct vmsi_stack_numbers *numbers, const char *lines)
{
	return numbers->count > 0 &&
		place_of(numbers, vmsi_hash_add(VMSI_HASH_BEGIN, lines), lines)->lines;
}

/* Without memory its names stay as they are. */
static uint32_t tell(struct vmsi_recorder *recorder, const char *lines)
{
	char *demangled = vmsi_demangle_backtrace(lines);
	const uint32_t number =
		vmsi_recorder_stack(recorder, demangled ? demangled : lines);

	free(demangled);
	return number;
}

uint32_t vmsi_stack_number(struct vmsi_stack_numbers *numbers,
			   struct vmsi_recorder *recorder, const char *lines)
{
	const uint64_t hash = vmsi_hash_add(VMSI_HASH_BEGIN, lines);
	struct vmsi_stack_number *place;

	if (!make_room(numbers))
		return VMSI_NOBODY;
	place = place_of(numbers, hash, lines);
	if (place->lines)
		return place->number;
	place->lines = strdup(lines);
	if (!place->lines)
		return VMSI_NOBODY;
	place->hash = hash;
	place->number = tell(recorder, lines);
	numbers->count++;
	return place->number;
}

void vmsi_stack_numbers_free(struct vmsi_stack_numbers *numbers)
{
	for (size_t i = 0; i < numbers->capacity; i++)
		free(numbers->places[i].lines);
	free(numbers->places);
	*numbers = (struct vmsi_stack_numbers){ 0 };
}
