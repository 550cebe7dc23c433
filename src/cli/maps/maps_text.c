/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/output/text.h"

/* The texts of one line without the last column, which has no fixed width. */
struct row {
	char address[2 * 16 + 2];
	struct vmsi_size_text size;
	const char *prot;
	const char *sharing;
	struct vmsi_size_text commit;
	struct vmsi_size_text resident;
	char flags[192];
};

struct widths {
	int address, size, commit, resident, flags;
};

static void widen(int *width, const char *text)
{
	int length = (int)strlen(text);

	if (*width < length)
		*width = length;
}

static void widen_all(struct widths *widths, const struct row *row)
{
	widen(&widths->address, row->address);
	widen(&widths->size, row->size.text);
	widen(&widths->commit, row->commit.text);
	widen(&widths->resident, row->resident.text);
	widen(&widths->flags, row->flags);
}

/* Write the columns that the line of totals has, too. */
static void write_figures(const struct widths *widths, const struct row *row)
{
	printf("%-*s  %*s  %-4s  %-7s  %*s  %*s", widths->address,
	       row->address, widths->size, row->size.text, row->prot,
	       row->sharing, widths->commit, row->commit.text,
	       widths->resident, row->resident.text);
}

/* Write all columns but the last, which the caller writes. */
static void write_row(const struct widths *widths, const struct row *row)
{
	write_figures(widths, row);
	printf("  %-*s  ", widths->flags, row->flags);
}

static void append_word(char *flags, size_t size, const char *word)
{
	size_t length = strlen(flags);

	snprintf(flags + length, size - length, "%s%s", length ? "," : "",
		 word);
}

static void flags_text(const struct vmsi_listed *mapping, char *flags,
		       size_t size)
{
	flags[0] = '\0';
	for (size_t i = 0; vmsi_flag_words[i].word; i++)
		if (mapping->flags & vmsi_flag_words[i].flag)
			append_word(flags, size, vmsi_flag_words[i].word);
	if (flags[0] == '\0')
		append_word(flags, size, "-");
}

static struct vmsi_size_text counted_text(size_t bytes,
					  enum vmsi_size_style style)
{
	if (bytes == VMS_NOT_COUNTED)
		return (struct vmsi_size_text){ "-" };
	return vmsi_size_text(bytes, style);
}

static void mapping_row(const struct vmsi_listed *mapping,
			enum vmsi_size_style style, struct row *row,
			struct vmsi_prot_text *prot)
{
	*prot = vmsi_prot_text(mapping->prot);
	*row = (struct row){
		.size = vmsi_size_text(mapping->length, style),
		.prot = prot->text,
		.sharing = mapping->flags & VMS_MAPPING_SHARED ? "shared" :
								 "private",
		.commit = vmsi_size_text(mapping->committed, style),
		.resident = counted_text(mapping->resident, style),
	};
	snprintf(row->address, sizeof(row->address),
		 "%012" PRIxPTR "-%012" PRIxPTR, mapping->start,
		 mapping->start + mapping->length);
	flags_text(mapping, row->flags, sizeof(row->flags));
}

static void total_row(const struct vmsi_total *total,
		      enum vmsi_size_style style, struct row *row)
{
	*row = (struct row){
		.size = vmsi_size_text(total->size, style),
		.prot = "",
		.sharing = "",
		.commit = vmsi_size_text(total->committed, style),
		.resident = vmsi_size_text(total->resident, style),
	};
	snprintf(row->address, sizeof(row->address), "total %zu mapping%s",
		 total->mappings, total->mappings == 1 ? "" : "s");
}

static void write_content(const struct vmsi_listed *mapping)
{
	if (mapping->path[0]) {
		vmsi_write_escaped(stdout, mapping->path);
		if (mapping->offset)
			printf("+0x%" PRIx64, mapping->offset);
		if (mapping->file_state == VMSI_FILE_DELETED)
			fputs(" (deleted)", stdout);
	} else if (mapping->name[0] == '[' || mapping->name[0] == '/') {
		/*
		 * The kernel names such mappings itself; a program's names become
		 * "[anon:NAME]".
		 */
		vmsi_write_escaped(stdout, mapping->name);
	} else if (mapping->name[0]) {
		fputs("[anon:", stdout);
		vmsi_write_escaped(stdout, mapping->name);
		fputc(']', stdout);
	} else {
		fputs("[anon]", stdout);
	}
	fputc('\n', stdout);
}

static struct widths measure(const struct vmsi_listing *listing,
			     const struct row *heading,
			     const struct row *total,
			     enum vmsi_maps_detail detail,
			     enum vmsi_size_style style)
{
	struct widths widths = { 0 };
	struct vmsi_prot_text prot;
	struct row row;

	widen_all(&widths, heading);
	widen_all(&widths, total);
	for (size_t i = 0; detail == VMSI_MAPS_ALL && i < listing->count; i++) {
		mapping_row(&listing->mappings[i], style, &row, &prot);
		/*
		 * The vsyscall page of x86-64 has an address of the kernel, which
		 * is longer than all others: it may be wider than its column.
		 */
		if (listing->mappings[i].start > INTPTR_MAX)
			row.address[0] = '\0';
		widen_all(&widths, &row);
	}
	return widths;
}

static void write_mappings(const struct vmsi_listing *listing,
			   const struct widths *widths,
			   enum vmsi_size_style style)
{
	struct vmsi_prot_text prot;
	struct row row;

	for (size_t i = 0; i < listing->count && !ferror(stdout); i++) {
		mapping_row(&listing->mappings[i], style, &row, &prot);
		write_row(widths, &row);
		write_content(&listing->mappings[i]);
	}
}

static void write_process(const struct vmsi_listing *listing)
{
	printf("process %d", (int)listing->pid);
	if (listing->command[0]) {
		fputs(": ", stdout);
		vmsi_write_escaped(stdout, listing->command);
	}
	fputc('\n', stdout);
}

void vmsi_maps_write_text(const struct vmsi_listing *listing,
			  enum vmsi_maps_detail detail,
			  enum vmsi_size_style style)
{
	static const struct row heading = {
		.address = "ADDRESS",
		.size = { "SIZE" },
		.prot = "PROT",
		.sharing = "SHARING",
		.commit = { "COMMIT" },
		.resident = { "RESIDENT" },
		.flags = "FLAGS",
	};
	struct row total;
	struct widths widths;

	total_row(&listing->total, style, &total);
	widths = measure(listing, &heading, &total, detail, style);
	write_process(listing);
	if (detail == VMSI_MAPS_ALL) {
		write_row(&widths, &heading);
		puts("CONTENT");
		write_mappings(listing, &widths, style);
	} else {
		write_figures(&widths, &heading);
		putchar('\n');
	}
	if (ferror(stdout))
		return;
	write_figures(&widths, &total);
	putchar('\n');
}
