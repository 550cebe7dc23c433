/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cli/output/json.h"
#include "cli/output/text.h"

/*
 * Amounts are numbers. Addresses, offsets and inodes are strings, since they use
 * all 64 bits, and a number of jansson and of most JSON readers has fewer. Each
 * object has all its members; null stands for what a mapping does not have.
 */

static json_t *hex(uint64_t number)
{
	return json_sprintf("0x%" PRIx64, number);
}

static json_t *counted(size_t bytes)
{
	return bytes == VMS_NOT_COUNTED ? json_null() : vmsi_json_amount(bytes);
}

static bool is_utf8(const char *text)
{
	while (*text) {
		size_t length = vmsi_utf8_length(text);

		if (length == 0)
			return false;
		text += length;
	}
	return true;
}

static json_t *bytes_in_hex(const char *text)
{
	size_t length = strlen(text);
	char *digits = calloc(length + 1, 2);
	json_t *string;

	if (!digits)
		return NULL;
	for (size_t i = 0; i < length; i++)
		snprintf(digits + 2 * i, 3, "%02x",
			 (unsigned)(unsigned char)text[i]);
	string = json_string(digits);
	free(digits);
	return string;
}

static json_t *flags(const struct vmsi_listed *mapping)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; vmsi_flag_words[i].word && !failed; i++)
		if (mapping->flags & vmsi_flag_words[i].flag)
			failed |= json_array_append_new(array,
				json_string(vmsi_flag_words[i].word));
	return vmsi_json_complete(array, failed);
}

static json_t *mapping_object(const struct vmsi_listed *mapping)
{
	const bool anonymous = (mapping->flags & VMS_MAPPING_ANONYMOUS) != 0;
	const bool deleted = mapping->file_state == VMSI_FILE_DELETED;
	json_t *object = json_pack(
		"{s:o,s:o,s:o,s:s,s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:o,s:o}",
		"start", hex(mapping->start),
		"end", hex(mapping->start + mapping->length),
		"size", vmsi_json_amount(mapping->length),
		"prot", vmsi_prot_text(mapping->prot).text,
		"sharing", mapping->flags & VMS_MAPPING_SHARED ?
			"shared" : "private",
		"anonymous", anonymous,
		"committed", vmsi_json_amount(mapping->committed),
		"resident", counted(mapping->resident),
		"page_size", vmsi_json_amount(mapping->page_size),
		"flags", flags(mapping),
		"name", vmsi_json_text(mapping->name),
		"path", vmsi_json_text(mapping->path),
		"deleted", deleted,
		"offset", hex(mapping->offset),
		"device", mapping->inode ?
			json_sprintf("%u:%u", major(mapping->device),
				     minor(mapping->device)) : json_null(),
		"inode", mapping->inode ?
			json_sprintf("%" PRIu64, mapping->inode) :
			json_null());
	const int failed = !is_utf8(mapping->path) &&
		json_object_set_new(object, "path_bytes",
				    bytes_in_hex(mapping->path));

	return vmsi_json_complete(object, failed);
}

static json_t *mapping_array(const struct vmsi_listing *listing)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < listing->count && !failed; i++)
		failed |= json_array_append_new(array,
			mapping_object(&listing->mappings[i]));
	return vmsi_json_complete(array, failed);
}

static json_t *total_object(const struct vmsi_total *total)
{
	return json_pack("{s:o,s:o,s:o,s:o}",
		"mappings", vmsi_json_amount(total->mappings),
		"size", vmsi_json_amount(total->size),
		"committed", vmsi_json_amount(total->committed),
		"resident", vmsi_json_amount(total->resident));
}

static json_t *listing_object(const struct vmsi_listing *listing,
			      enum vmsi_maps_detail detail)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= json_object_set_new(object, "pid",
				      json_integer(listing->pid));
	failed |= json_object_set_new(object, "command",
				      vmsi_json_text(listing->command));
	if (detail == VMSI_MAPS_ALL)
		failed |= json_object_set_new(object, "mappings",
					      mapping_array(listing));
	failed |= json_object_set_new(object, "total",
				      total_object(&listing->total));
	return vmsi_json_complete(object, failed);
}

int vmsi_maps_write_json(const struct vmsi_listing *listing,
			 enum vmsi_maps_detail detail)
{
	return vmsi_json_print(listing_object(listing, detail));
}
