/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>

/* What the host lets a process have, and what it counts. */

bool vmsi_host_may_lock(size_t length)
{
	const uintptr_t last_page =
		vmsi_align_down(UINTPTR_MAX, vmsi_page_size());
	/*
	 * The kernel looks at the limit before it looks at addresses. A range
	 * that wraps is EINVAL where the limit has room for it: nothing is ever
	 * locked by this.
	 */
	long result = vmsi_host.mlock2(last_page, length, 0);

	return result != -ENOMEM && result != -EPERM;
}

/* --- /proc/self/status -------------------------------------------------------- */

/*
 * A reader of lines that may be longer than its buffer: that of "Groups:" has
 * a number for each group of the process.
 */
struct status_reader {
	int fd;
	char buffer[512];
	size_t at, end;
};

/* The next character; 0 at the end of the file, or where it cannot be read. */
static char next_character(struct status_reader *reader)
{
	if (reader->at == reader->end) {
		long got = vmsi_host.read(reader->fd, reader->buffer,
					  sizeof(reader->buffer));

		reader->at = 0;
		reader->end = got > 0 ? (size_t)got : 0;
		if (reader->end == 0)
			return '\0';
	}
	return reader->buffer[reader->at++];
}

/*
 * Read one line. Where it begins with one of the keys, its number, which is of
 * KiB, becomes the bytes of that key's value, and *found counts it. False: the
 * file has no more lines.
 */
static bool read_line(struct status_reader *reader, const char *const keys[],
		      uint64_t *const values[], size_t count, size_t *found)
{
	char key[16];
	size_t length = 0;
	uint64_t number = 0;
	char c = next_character(reader);

	while (c && c != '\n' && c != ':') {
		if (length < sizeof(key) - 1)
			key[length++] = c;
		c = next_character(reader);
	}
	key[length] = '\0';
	for (; c && c != '\n'; c = next_character(reader))
		if (c >= '0' && c <= '9')
			number = number * 10 + (uint64_t)(c - '0');
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;

		while (keys[i][same] && keys[i][same] == key[same])
			same++;
		if (keys[i][same] == key[same]) {
			*values[i] = number << 10;
			(*found)++;
		}
	}
	return c == '\n';
}

int vmsi_host_usage(struct vmsi_host_usage *usage)
{
	static const char *const keys[] = { "VmSize", "VmData" };
	uint64_t *const values[] = { &usage->addresses, &usage->data };
	struct status_reader reader = { .at = 0 };
	size_t found = 0;
	long fd = vmsi_host.open("/proc/self/status");

	if (fd < 0)
		return (int)fd;
	reader.fd = (int)fd;
	while (found < 2 && read_line(&reader, keys, values, 2, &found))
		;
	vmsi_host.close((int)fd);
	return found == 2 ? 0 : -EIO;
}

bool vmsi_host_ignores_data_limit(void)
{
	char answer = 'N';
	long fd = vmsi_host.open(
		"/sys/module/kernel/parameters/ignore_rlimit_data");

	if (fd < 0)
		return false;
	if (vmsi_host.read((int)fd, &answer, 1) != 1)
		answer = 'N';
	vmsi_host.close((int)fd);
	return answer == 'Y';
}
