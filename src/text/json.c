/* SPDX-License-Identifier: MIT */
#include "text/json.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "text/number.h"

/* A text that may be longer than its buffer. */
struct json {
	char *bytes;
	size_t size, length;
};

static void add(struct json *json, const char *text)
{
	for (; *text; text++, json->length++)
		if (json->length + 1 < json->size)
			json->bytes[json->length] = *text;
}

static void add_number(struct json *json, uint64_t number)
{
	struct vmsi_digits digits;

	add(json, vmsi_write_digits(&digits, number, 10));
}

static void add_integer(struct json *json, int number)
{
	const int64_t wide = number;

	if (wide < 0)
		add(json, "-");
	add_number(json, (uint64_t)(wide < 0 ? -wide : wide));
}

static uint64_t number_at(const char *place, size_t width)
{
	uint64_t wide = 0;
	uint32_t narrow;

	if (width == sizeof(narrow)) {
		memcpy(&narrow, place, sizeof(narrow));
		return narrow;
	}
	if (width == 1)
		return (unsigned char)*place;
	memcpy(&wide, place, sizeof(wide));
	return wide;
}

static void add_list(struct json *json, const struct vmsi_json_member *member,
		     const char *place)
{
	add(json, "[");
	for (size_t at = 0; at < member->size; at += member->width) {
		if (at)
			add(json, ",");
		add_number(json, number_at(place + at, member->width));
	}
	add(json, "]");
}

/* A value that has no word is one of a newer library, or wrong: a number tells it. */
static void add_word(struct json *json, const struct vmsi_json_member *member,
		     uint64_t value)
{
	if (value >= member->word_count || !member->words[value]) {
		add_number(json, value);
		return;
	}
	add(json, "\"");
	add(json, member->words[value]);
	add(json, "\"");
}

static void add_value(struct json *json, const struct vmsi_json_member *member,
		      const char *place)
{
	if (member->size != member->width) {
		add_list(json, member, place);
		return;
	}
	switch (member->type) {
	case VMSI_MEMBER_NUMBER:
		add_number(json, number_at(place, member->width));
		break;
	case VMSI_MEMBER_INTEGER:
		add_integer(json, (int)(uint32_t)number_at(place, member->width));
		break;
	case VMSI_MEMBER_TRUTH:
		add(json, number_at(place, member->width) ? "true" : "false");
		break;
	case VMSI_MEMBER_WORD:
		add_word(json, member, number_at(place, member->width));
		break;
	}
}

int vmsi_write_members(const struct vmsi_json_members *members, const void *figures,
		       size_t given, unsigned known, char *buffer, size_t size)
{
	struct json json = { .bytes = buffer, .size = size };
	bool is_first = true;

	add(&json, "{");
	for (size_t i = 0; i < members->count; i++) {
		const struct vmsi_json_member *member = &members->rows[i];

		if ((size_t)member->offset + member->size > given)
			continue;
		add(&json, is_first ? "\"" : ",\"");
		is_first = false;
		add(&json, member->name);
		add(&json, "\":");
		if (member->known & ~known)
			add(&json, "null");
		else
			add_value(&json, member,
				  (const char *)figures + member->offset);
	}
	add(&json, "}");
	if (size)
		buffer[json.length < size ? json.length : size - 1] = '\0';
	return (int)json.length;
}
