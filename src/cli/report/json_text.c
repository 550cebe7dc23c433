/* SPDX-License-Identifier: MIT */
#include "cli/report/json_text.h"

#include <inttypes.h>

#include "cli/output/json.h"

void vmsi_json_write_text(FILE *stream, const char *text)
{
	json_t *string = *text ? vmsi_json_text(text) : NULL;

	if (!string || json_dumpf(string, stream, JSON_ENCODE_ANY))
		fputs("\"\"", stream);
	json_decref(string);
}

void vmsi_json_write_string(FILE *stream, const char *key, const char *text)
{
	fprintf(stream, ",\"%s\":", key);
	vmsi_json_write_text(stream, text);
}

void vmsi_json_write_number(FILE *stream, const char *key, uint64_t number)
{
	/* Who reads it may have 63 bits. */
	fprintf(stream, ",\"%s\":%" PRIu64, key,
		number > INT64_MAX ? (uint64_t)INT64_MAX : number);
}

void vmsi_json_write_stack(FILE *stream, const struct vmsi_recorded_stack *stack)
{
	fputc('[', stream);
	for (uint32_t i = 0; i < stack->count; i++) {
		if (i)
			fputc(',', stream);
		vmsi_json_write_text(stream, stack->frames[i]);
	}
	fputc(']', stream);
}
