/* SPDX-License-Identifier: MIT */
/*
 * Bytes as /proc/PID/smaps. The first byte is the largest read, the second
 * the size of the buffer; the rest is the text. Any text may be refused; what
 * is given must be sane, and the same however the text is cut into reads.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "procfs/meminfo.h"
#include "procfs/smaps.h"
#include "procfs/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
	const uint8_t *at;
	size_t left;
	size_t chunk;
};

static ssize_t read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t count = source->left;

	if (count > size)
		count = size;
	if (count > source->chunk)
		count = source->chunk;
	if (count)
		memcpy(buffer, source->at, count);
	source->at += count;
	source->left -= count;
	return (ssize_t)count;
}

static void require(int condition)
{
	if (!condition)
		abort();
}

static void check(const struct vms_mapping_info *info)
{
	require(info->length > 0);
	require(info->start < info->start + info->length);
	require(memchr(info->path, 0, sizeof(info->path)) != NULL);
	require(memchr(info->name, 0, sizeof(info->name)) != NULL);
	require(info->committed == 0 || info->committed == info->length);
	require(info->path[0] == '\0' || info->name[0] == '\0');
}

static struct vmsi_lines lines_of(struct source *source, char *buffer,
				  size_t size)
{
	return (struct vmsi_lines){
		.read = read_source,
		.context = source,
		.buffer = buffer,
		.size = size,
	};
}

static void compare(struct source text, char *buffer, size_t size)
{
	static struct vms_mapping_info slow, fast;
	struct source whole = { text.at, text.left, SIZE_MAX };
	char *other = malloc(size);
	struct vmsi_lines slow_lines = lines_of(&text, buffer, size);
	struct vmsi_lines fast_lines = lines_of(&whole, other, size);
	int result;

	require(other != NULL);
	do {
		result = vmsi_smaps_next(&slow_lines, &slow);
		require(vmsi_smaps_next(&fast_lines, &fast) == result);
		if (result > 0) {
			check(&slow);
			require(memcmp(&slow, &fast, sizeof(slow)) == 0);
		}
	} while (result > 0);
	free(other);
}

static void read_figures(struct source text, char *buffer, size_t size)
{
	struct source again = text;
	struct vmsi_lines lines = lines_of(&text, buffer, size);
	struct vmsi_status status;
	struct vmsi_meminfo meminfo;
	enum vmsi_status_memory memory;

	vmsi_status_read(&lines, &status, &memory);
	lines = lines_of(&again, buffer, size);
	vmsi_meminfo_read(&lines, &meminfo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;

	struct source text = { data + 2, size - 2, (size_t)data[0] + 1 };
	/* From far too small for one line to more than the longest path. */
	size_t buffer_size = ((size_t)data[1] + 1) * ((size_t)data[1] + 1) / 2 + 1;
	char *buffer = malloc(buffer_size);

	require(buffer != NULL);
	compare(text, buffer, buffer_size);
	read_figures(text, buffer, buffer_size);
	free(buffer);
	return 0;
}
