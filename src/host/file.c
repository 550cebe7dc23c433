/* SPDX-License-Identifier: MIT */
#include "host/file.h"

#include <errno.h>

#include "host/host.h"

size_t vmsi_host_read_start(const char *path, char *buffer, size_t size)
{
	long fd = vmsi_host.open(path);
	long got;

	if (fd < 0)
		return 0;
	got = vmsi_host.read((int)fd, buffer, size);
	vmsi_host.close((int)fd);
	return got > 0 ? (size_t)got : 0;
}

bool vmsi_host_read_number(const char *path, uint64_t *number)
{
	char text[32];
	const size_t length = vmsi_host_read_start(path, text, sizeof(text));
	struct vmsi_scan scan = { text, text + length };

	return vmsi_scan_decimal(&scan, number) && vmsi_scan_is(&scan, "\n");
}

static ssize_t read_file(void *context, void *buffer, size_t size)
{
	const int *fd = context;
	long got;

	do
		got = vmsi_host.read(*fd, buffer, size);
	while (got == -EINTR);
	return got;
}

void vmsi_host_lines(struct vmsi_lines *lines, int *fd, char *buffer,
		     size_t size)
{
	*lines = (struct vmsi_lines){
		.read = read_file,
		.context = fd,
		.buffer = buffer,
		.size = size,
	};
}

int vmsi_host_file_open(struct vmsi_host_file *file, const char *path)
{
	const long fd = vmsi_host.open(path);

	file->fd = (int)fd;
	vmsi_host_lines(&file->lines, &file->fd, file->buffer,
			sizeof(file->buffer));
	return fd < 0 ? (int)fd : 0;
}

void vmsi_host_file_close(struct vmsi_host_file *file)
{
	vmsi_host.close(file->fd);
}

int vmsi_host_read_fields(const char *path, const struct vmsi_field *table,
			  size_t count, void *record, uint64_t *seen)
{
	struct vmsi_host_file file;
	int error = vmsi_host_file_open(&file, path);

	if (error)
		return error;
	error = vmsi_fields_read(&file.lines, table, count, record, seen);
	vmsi_host_file_close(&file);
	return error;
}
