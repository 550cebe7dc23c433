/* SPDX-License-Identifier: MIT */
/*
 * Bytes as every text that the room of parsers reads. Any text may be refused;
 * what is understood must be what libc's own parsers read there, and what is
 * given of a text must lie in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "text/fields.h"
#include "text/maps.h"
#include "text/number.h"
#include "text/size.h"
#include "text/stat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void require_inside(struct vmsi_scan part, struct vmsi_scan text)
{
	require(part.at >= text.at && part.at <= part.end &&
		part.end <= text.end);
}

static void check_number(const char *text)
{
	struct vmsi_digits room;
	const size_t digits = strspn(text, "0123456789");
	uint64_t number;
	int small;

	if (!vmsi_parse_number(text, &number)) {
		require(!vmsi_parse_int(text, &small));
		return;
	}
	require(digits > 0 && text[digits] == '\0');
	require(strtoull(text, NULL, 10) == number);
	text += strspn(text, "0");
	require(strcmp(vmsi_write_digits(&room, number, 10),
		       *text ? text : "0") == 0);
	require(vmsi_parse_int(text - !*text, &small) == (number <= INT32_MAX));
}

static unsigned shift_of(char unit)
{
	static const char units[] = "kmgt";
	const char *at = unit ? strchr(units, unit | 0x20) : NULL;

	return at ? 10 * (unsigned)(at - units + 1) : 0;
}

static void check_size(const char *text)
{
	size_t whole, bytes;
	long double amount;
	char *end;

	if (!vmsi_parse_size(text, VMSI_SIZE_FRACTION, &bytes)) {
		require(!vmsi_parse_size(text, VMSI_SIZE_WHOLE, &whole));
		return;
	}
	if (vmsi_parse_size(text, VMSI_SIZE_WHOLE, &whole)) {
		require(whole == bytes && !strchr(text, '.'));
		require(strtoull(text, &end, 10) << shift_of(*end) == bytes);
	}
	amount = strtold(text, &end);
	require(!*end || !end[1]);
	amount *= (long double)((uint64_t)1 << shift_of(*end));
	amount -= (long double)bytes;
	require(amount > -1.5L && amount < 1.5L);
}

/* A size that is written is read again, but for its rounding. */
static void check_written_size(uint64_t bytes)
{
	struct vmsi_size_text text = vmsi_size_text(bytes, VMSI_SIZE_HUMAN);
	const size_t length = strlen(text.text);
	uint64_t off;
	size_t read;

	require(length > 0 && length <= 5);
	if (text.text[length - 1] == 'B')
		text.text[length - 1] = '\0';
	if (vmsi_parse_size(text.text, VMSI_SIZE_FRACTION, &read)) {
		off = read > bytes ? read - bytes : bytes - read;
		require(off <= bytes / 20);
	} else {
		require(bytes >= (uint64_t)1023 << 40);
	}
	text = vmsi_size_text(bytes, VMSI_SIZE_BYTES);
	require(vmsi_parse_number(text.text, &off) && off == bytes);
}

static void check_path(struct vmsi_scan label)
{
	for (size_t size = 1; size < 40; size += 13) {
		char *path = malloc(size);
		size_t length;

		require(path != NULL);
		vmsi_label_path(label, path, size);
		length = strnlen(path, size);
		require(length < size && length <= vmsi_scan_left(&label));
		free(path);
	}
}

static void check_maps_line(struct vmsi_scan text, const char *copy)
{
	struct vmsi_maps_line line;
	uint64_t start, end, offset, inode;
	unsigned major_number, minor_number;
	char rights[5];

	if (!vmsi_maps_line_read(text, &line))
		return;
	require(line.start < line.end);
	require_inside(line.label, text);
	check_path(line.label);
	require(sscanf(copy, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
		       " %x:%x %" SCNu64, &start, &end, rights, &offset,
		       &major_number, &minor_number, &inode) == 7);
	require(line.start == start && line.end == end);
	require(line.offset == offset && line.inode == inode);
	require(line.device == makedev(major_number, minor_number));
	require(line.is_readable == (rights[0] == 'r'));
	require(line.is_writable == (rights[1] == 'w'));
	require(line.is_executable == (rights[2] == 'x'));
	require(line.is_shared == (rights[3] == 's'));
}

static void check_stat(struct vmsi_scan text)
{
	struct vmsi_stat stat;

	if (!vmsi_stat_read(text, &stat))
		return;
	require_inside(stat.command, text);
	require(stat.command.at[-1] == '(' && *stat.command.end == ')');
	require(!memchr(stat.command.end + 1, ')',
			(size_t)(text.end - stat.command.end - 1)));
}

static void check_field(struct vmsi_scan text, const char *copy)
{
	struct vmsi_scan value;

	if (vmsi_field_find(text, "NSpid", &value)) {
		require_inside(value, text);
		require(strstr(copy, "NSpid") != NULL);
		require(!memchr(value.at, '\n', vmsi_scan_left(&value)));
	}
}

static void check_setting(struct vmsi_scan text, const char *copy)
{
	if (vmsi_scan_is_chosen(text, "never")) {
		require(strstr(copy, "[never]") != NULL);
		require(!vmsi_scan_is_chosen(text, "always"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vmsi_scan text = { (const char *)data,
					(const char *)data + size };
	char *copy = malloc(size + 1);
	uint64_t bytes = 0;

	require(copy != NULL);
	memcpy(copy, data, size);
	copy[size] = '\0';
	memcpy(&bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	check_written_size(bytes);
	check_number(copy);
	check_size(copy);
	/* What libc reads ends at a 0; to the parsers it is a character. */
	if (strlen(copy) == size) {
		check_maps_line(text, copy);
		check_field(text, copy);
		check_setting(text, copy);
	}
	check_stat(text);
	free(copy);
	return 0;
}
