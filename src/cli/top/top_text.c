/* SPDX-License-Identifier: MIT */
#include "cli/top/writers.h"

#include <langinfo.h>
#include <string.h>

#include "cli/output/text.h"
#include "cli/top/draw.h"

/* As wide as all columns need; names have no end. */
#define WIDTH 132

static void write_head(const struct vmsi_top_model *model, const char *title,
		       bool is_utf8)
{
	struct vmsi_top_canvas lines[4];
	const struct vmsi_top_screen screen = {
		.width = 80, .height = 4, .is_utf8 = is_utf8, .title = title,
		.lines = lines,
	};

	for (size_t i = 0; i < 4; i++)
		vmsi_top_canvas_begin(&lines[i], i < 3 ? 80 : 1000, is_utf8);
	vmsi_top_draw_head(&screen, 4, model);
	for (size_t i = 0; i < 4; i++)
		puts(lines[i].bytes);
	putchar('\n');
}

void vmsi_top_write_text(const struct vmsi_top_model *model, const char *title)
{
	const bool is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	struct vmsi_top_layout layout = vmsi_top_layout(model, WIDTH, 24);
	struct vmsi_top_canvas canvas;

	/* There is none yet. */
	layout.name -= layout.history_columns ? layout.history_columns + 1 : 0;
	layout.history_columns = 0;
	write_head(model, title, is_utf8);
	vmsi_top_canvas_begin(&canvas, WIDTH, is_utf8);
	vmsi_top_draw_headings(&canvas, &layout, model);
	puts(canvas.bytes);
	for (size_t i = 0; i < model->line_count && !ferror(stdout); i++) {
		vmsi_top_canvas_begin(&canvas, sizeof(canvas.bytes), is_utf8);
		vmsi_top_draw_row(&canvas, &layout, &model->lines[i]);
		puts(canvas.bytes);
	}
}
