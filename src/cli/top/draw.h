/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_DRAW_H
#define VMSI_CLI_TOP_DRAW_H

#include "cli/top/canvas.h"
#include "cli/top/keys.h"

/* Composes the screen of a model: what stands on each line, and where keys lie. */

struct vmsi_top_screen {
	unsigned width, height;
	bool is_utf8;
	const char *title;            /* what is looked at; may have any bytes but 0 */
	struct vmsi_top_canvas *lines; /* of which there are height */
};

/* Where a column stands. */
struct vmsi_top_place {
	enum vmsi_top_column column;
	unsigned end;                 /* the screen column behind it */
};

struct vmsi_top_layout {
	struct vmsi_top_place places[VMSI_TOP_ORDERS];
	unsigned count;
	unsigned history, history_columns; /* where it begins; 0 columns: it has no place */
	unsigned name;                     /* where names begin */
	unsigned head;                     /* lines above the headings */
	bool has_headings, has_footer;
	unsigned list;                     /* lines of the list */
	enum vmsi_size_style sizes;
	bool has_commands;
};

struct vmsi_top_layout vmsi_top_layout(const struct vmsi_top_model *model,
				       unsigned width, unsigned height);

/* Compose all lines of the screen. The cursor must have been settled with the page. */
void vmsi_top_draw(const struct vmsi_top_screen *screen,
		   const struct vmsi_top_layout *layout,
		   const struct vmsi_top_model *model,
		   const struct vmsi_top_ui *ui);

/* The headings and a row, as they stand on the screen, without its width. */
void vmsi_top_draw_headings(struct vmsi_top_canvas *canvas,
			    const struct vmsi_top_layout *layout,
			    const struct vmsi_top_model *model);
void vmsi_top_draw_row(struct vmsi_top_canvas *canvas,
		       const struct vmsi_top_layout *layout,
		       const struct vmsi_top_line *line);

/* A click of the first button: moves the cursor, sorts, or presses a key. */
void vmsi_top_click(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		    const struct vmsi_top_layout *layout, unsigned width,
		    unsigned height, unsigned column, unsigned line);

/* --- head.c ------------------------------------------------------------------------- */

/* The bars, and one line of words. Returns how many lines that would be at most. */
unsigned vmsi_top_head_lines(unsigned height);
void vmsi_top_draw_head(const struct vmsi_top_screen *screen, unsigned lines,
			const struct vmsi_top_model *model);

/* --- panels.c ----------------------------------------------------------------------- */

/* How many lines the help has for this model. */
size_t vmsi_top_help_lines(const struct vmsi_top_model *model);
void vmsi_top_draw_help(struct vmsi_top_canvas *canvas,
			const struct vmsi_top_model *model, size_t line);
/* The column that stands on a line of the menu; VMSI_TOP_ORDERS behind the last. */
enum vmsi_top_column vmsi_top_menu_column(const struct vmsi_top_model *model,
					  size_t line);
void vmsi_top_draw_menu(struct vmsi_top_canvas *canvas,
			const struct vmsi_top_model *model,
			const struct vmsi_top_ui *ui, size_t line);
/* The keys at the bottom, and which of them lies at a column; 0: none. */
void vmsi_top_draw_footer(struct vmsi_top_canvas *canvas,
			  const struct vmsi_top_model *model,
			  const struct vmsi_top_ui *ui);
uint32_t vmsi_top_footer_key(unsigned width, unsigned column);

#endif
