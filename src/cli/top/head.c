/* SPDX-License-Identifier: MIT */
#include "cli/top/draw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/top/value.h"
#include "text/size.h"

/* The head of the screen: bars for what there is and what of it is used. */

#define BARS 3
#define LABEL 7

unsigned vmsi_top_head_lines(unsigned height)
{
	if (height < 6)
		return 0;
	return height < 9 ? 1 : BARS + 1;
}

/* Text that is left out where it does not fit as a whole. */
__attribute__((format(printf, 2, 3)))
static void put_part(struct vmsi_top_canvas *canvas, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (canvas->width + strlen(text) <= canvas->most)
		vmsi_top_put(canvas, "%s", text);
}

static struct vmsi_size_text size(const struct vmsi_top_model *model, uint64_t bytes)
{
	return vmsi_size_text(bytes, model->choice.sizes);
}

static void draw_bar(struct vmsi_top_canvas *canvas, const struct vmsi_top_model *model,
		     const char *label, uint64_t used, uint64_t all)
{
	char text[64];

	snprintf(text, sizeof(text), "%s/%s", size(model, used).text,
		 size(model, all).text);
	vmsi_top_style(canvas, VMSI_TOP_LABEL);
	vmsi_top_put(canvas, "%s", label);
	vmsi_top_fill(canvas, LABEL);
	vmsi_top_put_bar(canvas, canvas->most > LABEL ? canvas->most - LABEL : 0, used,
			 all, text);
}

static void draw_unknown(struct vmsi_top_canvas *canvas, const char *label)
{
	vmsi_top_style(canvas, VMSI_TOP_LABEL);
	vmsi_top_put(canvas, "%s", label);
	vmsi_top_fill(canvas, LABEL);
	vmsi_top_style(canvas, VMSI_TOP_DIM);
	vmsi_top_put(canvas, "not known");
}

/* In other modes than 2 it is no part of anything. */
static void draw_committed(struct vmsi_top_canvas *canvas,
			   const struct vmsi_top_model *model)
{
	const struct vmsi_meminfo *meminfo = &model->machine.meminfo;

	if (!model->machine.tells_mode || model->machine.mode == 2) {
		draw_bar(canvas, model, "Commit", meminfo->committed,
			 meminfo->commit_limit);
		return;
	}
	vmsi_top_style(canvas, VMSI_TOP_LABEL);
	vmsi_top_put(canvas, "Commit");
	vmsi_top_fill(canvas, LABEL);
	vmsi_top_style(canvas, VMSI_TOP_PLAIN);
	vmsi_top_put(canvas, "%s", size(model, meminfo->committed).text);
	vmsi_top_style(canvas, VMSI_TOP_DIM);
	put_part(canvas, ", and no limit is in force");
}

static uint64_t less(uint64_t all, uint64_t left)
{
	return all > left ? all - left : 0;
}

static void draw_bars(const struct vmsi_top_screen *screen,
		      const struct vmsi_top_model *model)
{
	const struct vmsi_meminfo *meminfo = &model->machine.meminfo;
	struct vmsi_top_canvas *lines = screen->lines;

	if (model->limit.is_known)
		draw_bar(&lines[0], model, model->limit.kind == VMSI_TOP_LIMIT_MEMORY ?
			 "Memory" : "Limit", model->limit.committed,
			 model->limit.limit);
	else if (model->machine.is_known && meminfo->tells_commit)
		draw_committed(&lines[0], model);
	else
		draw_unknown(&lines[0], "Commit");
	if (!model->machine.is_known) {
		draw_unknown(&lines[1], "RAM");
		draw_unknown(&lines[2], "Swap");
		return;
	}
	draw_bar(&lines[1], model, "RAM", less(meminfo->ram, meminfo->ram_available),
		 meminfo->ram);
	draw_bar(&lines[2], model, "Swap", less(meminfo->swap, meminfo->swap_free),
		 meminfo->swap);
}

static void put_state(struct vmsi_top_canvas *canvas, const struct vmsi_top_model *model)
{
	vmsi_top_style(canvas, VMSI_TOP_WARNING);
	if (model->is_frozen)
		vmsi_top_put(canvas, "FROZEN ");
	if (model->has_ended || model->limit.has_ended)
		vmsi_top_put(canvas, "ENDED ");
	if (model->untold)
		vmsi_top_put(canvas, "%zu not told ", model->untold);
	vmsi_top_style(canvas, VMSI_TOP_PLAIN);
	if (model->choice.filter[0]) {
		vmsi_top_put(canvas, "with '");
		vmsi_top_put_name(canvas, model->choice.filter);
		vmsi_top_put(canvas, "' ");
	}
}

static struct vmsi_top_value value(const struct vmsi_top_model *model,
				   enum vmsi_top_column column)
{
	return vmsi_top_value(&model->total, column, model->choice.sizes);
}

/* What is most wanted stands first: a narrow screen has no place for the rest. */
static void draw_summary(struct vmsi_top_canvas *canvas,
			 const struct vmsi_top_screen *screen,
			 const struct vmsi_top_model *model)
{
	const struct vmsi_top_figures *total = &model->total;

	put_state(canvas, model);
	vmsi_top_put_name(canvas, screen->title);
	put_part(canvas, ": %zu row%s", model->count, model->count == 1 ? "" : "s");
	if (vmsi_top_is_known(total, VMSI_TOP_COMMIT))
		put_part(canvas, ", commit %s", value(model, VMSI_TOP_COMMIT).text);
	if (vmsi_top_is_known(total, VMSI_TOP_GROWTH))
		put_part(canvas, ", %s/s", value(model, VMSI_TOP_GROWTH).text);
	if (vmsi_top_is_known(total, VMSI_TOP_MINOR))
		put_part(canvas, ", %s minor and %s major faults/s",
			 value(model, VMSI_TOP_MINOR).text,
			 value(model, VMSI_TOP_MAJOR).text);
	if (!model->limit.is_known || model->limit.kind == VMSI_TOP_LIMIT_MEMORY)
		return;
	if (model->limit.kind == VMSI_TOP_LIMIT_SUPERVISED)
		put_part(canvas, ", peak %s", size(model, model->limit.peak).text);
	put_part(canvas, ", %" PRIu64 " refused", model->limit.refusals);
}

void vmsi_top_draw_head(const struct vmsi_top_screen *screen, unsigned lines,
			const struct vmsi_top_model *model)
{
	if (lines > BARS)
		draw_bars(screen, model);
	if (lines > 0)
		draw_summary(&screen->lines[lines - 1], screen, model);
}
