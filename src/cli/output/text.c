/* SPDX-License-Identifier: MIT */
#include "cli/output/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * The length of the character that a byte begins, and the bits of its number that
 * the byte has. Returns 0 where no character begins so.
 */
static size_t first_byte(unsigned char byte, uint32_t *bits)
{
	static const struct {
		unsigned char mask, value;
	} forms[] = {
		{ 0x80, 0x00 }, { 0xe0, 0xc0 }, { 0xf0, 0xe0 }, { 0xf8, 0xf0 },
	};

	for (size_t i = 0; i < 4; i++)
		if ((byte & forms[i].mask) == forms[i].value) {
			*bits = byte & ~(uint32_t)forms[i].mask & 0xff;
			return i + 1;
		}
	return 0;
}

/* The character at text and its length; 0 where it is not well-formed. */
static size_t decode(const char *text, uint32_t *character)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value = 0;
	size_t length = first_byte((unsigned char)text[0], &value);

	for (size_t i = 1; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		/* The end of the text, a 0, does not match either. */
		if ((byte & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte & 0x3f);
	}
	if (length == 0 || value < smallest[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*character = value;
	return length;
}

size_t vmsi_utf8_length(const char *text)
{
	uint32_t character;

	return decode(text, &character);
}

static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

bool vmsi_is_invisible(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}

/*
 * The length of the character or byte at text, which is before its end, and whether
 * it is written as octal numbers.
 */
static size_t next_character(const char *text, bool *is_escaped)
{
	uint32_t character = 0;
	size_t length = decode(text, &character);

	*is_escaped = length == 0 || is_control(character) || vmsi_is_invisible(character);
	return length ? length : 1;
}

static void write_octal(FILE *stream, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		fprintf(stream, "\\%03o", (unsigned)(unsigned char)text[i]);
}

/* How many characters come next that are written as they are, and are a byte each. */
static size_t plain_length(const char *text, const char *end)
{
	const char *at = text;

	while (at < end && *at >= 0x20 && *at < 0x7f && *at != '\\')
		at++;
	return (size_t)(at - text);
}

/* Write text up to end, which lies between two characters. */
static void write_escaped(FILE *stream, const char *text, const char *end)
{
	while (text < end) {
		bool is_escaped;
		size_t length = plain_length(text, end);

		if (length) {
			fwrite(text, 1, length, stream);
			text += length;
			continue;
		}
		length = next_character(text, &is_escaped);
		if (is_escaped) {
			write_octal(stream, text, length);
		} else if (*text == '\\') {
			fputs("\\\\", stream);
		} else {
			fwrite(text, 1, length, stream);
		}
		text += length;
	}
}

bool vmsi_needs_escape(const char *text)
{
	bool is_escaped = false;

	while (*text && !is_escaped) {
		is_escaped = *text == '\\';
		if (!is_escaped)
			text += next_character(text, &is_escaped);
	}
	return is_escaped;
}

void vmsi_write_escaped(FILE *stream, const char *text)
{
	write_escaped(stream, text, text + strlen(text));
}

void vmsi_write_backtrace(FILE *stream, const char *backtrace, size_t most)
{
	for (; *backtrace && most > 0; most--) {
		const char *end = backtrace + strcspn(backtrace, "\n");

		fputs("      ", stream);
		write_escaped(stream, backtrace, end);
		fputc('\n', stream);
		backtrace = end + (*end == '\n');
	}
}
