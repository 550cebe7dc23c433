/* SPDX-License-Identifier: MIT */
/*
 * vmspace/buffer.h: a log of a million lines, with an index of pointers into
 * it.
 *
 * The pointers stay good: a buffer with a maximum never moves. With realloc
 * they would have to be offsets, or be mended after each growth.
 */
#include <stdio.h>
#include <string.h>

#include <vmspace/buffer.h>

#define LINES 1000000
#define EVERY 100000

static int write_line(vms_buffer *log, int number)
{
	char line[80];
	int length = snprintf(line, sizeof(line),
			      "line %07d: the quick brown fox jumps over the lazy dog\n",
			      number);

	return vms_buffer_append(log, line, (size_t)length);
}

int main(void)
{
	vms_space *space = vms_space_open((size_t)1 << 30, NULL);
	struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.space = space,
	};
	struct vms_buffer_stats stats = { .struct_size = sizeof(stats) };
	const char *index[LINES / EVERY];
	vms_buffer log;

	/* Options NULL would do; a space lists and limits what is in it. */
	if (!space || vms_buffer_init(&log, (size_t)256 << 20, &options) < 0)
		goto failed;
	for (int i = 0; i < LINES; i++) {
		if (i % EVERY == 0)
			index[i / EVERY] = log.data + log.size;
		if (write_line(&log, i) < 0)
			goto failed;
	}
	for (int i = 0; i < LINES / EVERY; i++)
		printf("%.12s\n", index[i]);
	if (vms_buffer_get_stats(&log, &stats) < 0)
		goto failed;
	printf("%zu MiB in use, %zu committed, %zu reserved\n",
	       stats.size >> 20, stats.committed >> 20, stats.reserved >> 20);
	if (strncmp(index[9], "line 0900000", 12) != 0)
		return 1;
	return vms_buffer_free(&log) < 0 || vms_space_close(space) < 0;

failed:
	perror("example-buffer");
	return 1;
}
