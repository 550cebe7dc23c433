/* SPDX-License-Identifier: MIT */
/*
 * What a store tells who watches it: the memory of each of its parts under the same
 * names, and all figures of one of them, as JSON.
 *
 * usage: stat
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmspace.h>

#define MIB ((size_t)1 << 20)

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* One member of the document: "name": {...}. */
static void tell(const char *name, const struct vms_stat *stat, const char *end)
{
	char text[512];
	const int length = vms_stat_to_json(stat, text, sizeof(text));

	if (length < 0 || (size_t)length >= sizeof(text))
		fail("vms_stat_to_json");
	printf("\"%s\":%s%s", name, text, end);
}

static void tell_heap_itself(vms_heap *heap)
{
	struct vms_heap_stats stats = { .struct_size = sizeof(stats) };
	char *text;
	int length;

	if (vms_heap_get_stats(heap, &stats))
		fail("vms_heap_get_stats");
	/* As with snprintf: how long it is, and then the text. */
	length = vms_heap_stats_to_json(&stats, NULL, 0);
	text = length < 0 ? NULL : malloc((size_t)length + 1);
	if (!text)
		fail("vms_heap_stats_to_json");
	(void)vms_heap_stats_to_json(&stats, text, (size_t)length + 1);
	printf("\"heap_itself\":%s}\n", text);
	free(text);
}

int main(void)
{
	struct vms_stat stat = { .struct_size = sizeof(stat) };
	vms_heap *heap = vms_heap_open(NULL);
	vms_buffer buffer;
	char *block, *log;

	if (!heap || vms_buffer_init(&buffer, 64 * MIB, NULL))
		fail("opening");
	block = vms_heap_malloc(heap, 8 * MIB);
	log = vms_buffer_extend(&buffer, MIB);
	if (!block || !log)
		fail("memory");
	memset(block, 1, 8 * MIB);
	memset(log, 1, MIB);

	/* Pages are looked at, since they are asked for. */
	if (vms_stat_heap(heap, VMS_STAT_PAGES, &stat))
		fail("vms_stat_heap");
	printf("{");
	tell("heap", &stat, ",");
	if (vms_stat_buffer(&buffer, VMS_STAT_PAGES, &stat))
		fail("vms_stat_buffer");
	tell("log", &stat, ",");
	tell_heap_itself(heap);

	vms_heap_free(heap, block);
	vms_heap_close(heap);
	(void)vms_buffer_free(&buffer);
	return 0;
}
