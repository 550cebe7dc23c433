/* SPDX-License-Identifier: MIT */
#include "cli/report/page_columns.h"

#include <string.h>

/* Three bytes are four characters, so that no piece but the last needs filling up. */
#define PIECE 3072

struct encoder {
	FILE *stream;
	size_t filled;
	unsigned char piece[PIECE];
};

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void flush_piece(struct encoder *encoder)
{
	char text[PIECE / 3 * 4], *at = text;
	size_t left = encoder->filled;

	memset(encoder->piece + left, 0, PIECE - left);
	for (const unsigned char *byte = encoder->piece; left > 0; byte += 3) {
		uint32_t bits = (uint32_t)byte[0] << 16 | (uint32_t)byte[1] << 8 | byte[2];

		*at++ = digits[bits >> 18];
		*at++ = digits[bits >> 12 & 63];
		*at++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*at++ = left > 2 ? digits[bits & 63] : '=';
		left -= left < 3 ? left : 3;
	}
	fwrite(text, 1, (size_t)(at - text), encoder->stream);
	encoder->filled = 0;
}

static void put(struct encoder *encoder, uint64_t bits, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		encoder->piece[encoder->filled++] = (unsigned char)(bits >> 8 * i);
		if (encoder->filled == PIECE)
			flush_piece(encoder);
	}
}

struct form {
	const char *name;
	unsigned bytes;
	uint64_t scale;
};

static uint64_t value_of(const struct vmsi_page_column *column, size_t i)
{
	uint64_t value = column->value(column->context, i);

	return column->is_rising && i > 0 ?
		value - column->value(column->context, i - 1) : value;
}

static uint64_t scaled(const struct vmsi_page_column *column, uint64_t value,
		       uint64_t scale)
{
	return column->is_signed ? (uint64_t)((int64_t)value / (int64_t)scale) :
				   value / scale;
}

static struct form choose_form(const struct vmsi_page_column *column)
{
	uint64_t most = 0, scale = column->scale;
	bool is_constant = true;

	/* A negative number is a very large one here, which only f64 holds. */
	for (size_t i = 0; i < column->count; i++) {
		uint64_t value = value_of(column, i);

		if (value != scaled(column, value, scale) * scale)
			scale = 1;
		is_constant = is_constant && value == value_of(column, 0);
	}
	for (size_t i = 0; i < column->count; i++) {
		uint64_t value = value_of(column, i);

		value = scaled(column, value, scale);
		most = value > most ? value : most;
	}
	/* As swapped most often is. */
	if (column->count > 0 && is_constant)
		return (struct form){ "constant", 0, scale };
	if (most <= UINT8_MAX)
		return (struct form){ "u8", 1, scale };
	if (most <= UINT16_MAX)
		return (struct form){ "u16", 2, scale };
	if (most <= UINT32_MAX)
		return (struct form){ "u32", 4, scale };
	return (struct form){ "f64", 8, scale };
}

static double real_of(const struct vmsi_page_column *column, struct form form,
		      uint64_t value)
{
	uint64_t bits = scaled(column, value, form.scale);

	return column->is_signed ? (double)(int64_t)bits : (double)bits;
}

static uint64_t bits_of(const struct vmsi_page_column *column, struct form form,
			uint64_t value)
{
	uint64_t bits = scaled(column, value, form.scale);
	double real = real_of(column, form, value);

	if (form.bytes == sizeof(real))
		memcpy(&bits, &real, sizeof(bits));
	return bits;
}

void vmsi_page_column_write(FILE *stream, const struct vmsi_page_column *column)
{
	struct form form = choose_form(column);
	struct encoder encoder = { .stream = stream };

	fprintf(stream, "<script type=\"text/plain\" class=\"column\" id=\"%s\" "
			"data-type=\"%s\" data-scale=\"%llu\" data-count=\"%zu\"%s>",
		column->name, form.name, (unsigned long long)form.scale, column->count,
		column->is_rising ? " data-rising" : "");
	if (form.bytes == 0)
		fprintf(stream, "%.17g", real_of(column, form, value_of(column, 0)));
	for (size_t i = 0; form.bytes > 0 && i < column->count; i++)
		put(&encoder, bits_of(column, form, value_of(column, i)), form.bytes);
	flush_piece(&encoder);
	fputs("</script>\n", stream);
}
