/* SPDX-License-Identifier: MIT */
#include "cli/top/keys.h"

#include <string.h>

bool vmsi_top_can_sort(const struct vmsi_top_model *model,
		       enum vmsi_top_column column)
{
	return column >= VMSI_TOP_COLUMNS || (model->known >> column & 1);
}

void vmsi_top_sort_by(struct vmsi_top_model *model, enum vmsi_top_column column)
{
	if (!vmsi_top_can_sort(model, column))
		return;
	model->choice.is_reversed = model->choice.sort == column &&
		!model->choice.is_reversed;
	model->choice.sort = column;
}

/* --- the cursor -------------------------------------------------------------------- */

void vmsi_top_point(struct vmsi_top_ui *ui, const struct vmsi_top_model *model,
		    size_t line)
{
	if (model->line_count == 0)
		return;
	ui->cursor = line < model->line_count ? line : model->line_count - 1;
	ui->chosen = model->lines[ui->cursor].row->id;
	ui->has_chosen = true;
}

void vmsi_top_settle(struct vmsi_top_ui *ui, const struct vmsi_top_model *model)
{
	const size_t page = ui->page ? ui->page : 1;

	for (size_t i = 0; ui->has_chosen && i < model->line_count; i++)
		if (vmsi_top_compare_id(model->lines[i].row->id, ui->chosen) == 0) {
			ui->cursor = i;
			break;
		}
	if (ui->cursor >= model->line_count)
		ui->cursor = model->line_count ? model->line_count - 1 : 0;
	if (ui->first > ui->cursor)
		ui->first = ui->cursor;
	if (ui->cursor - ui->first >= page)
		ui->first = ui->cursor - page + 1;
	/* No empty lines while there are others above. */
	if (ui->first + page > model->line_count)
		ui->first = model->line_count > page ? model->line_count - page : 0;
}

static void move(struct vmsi_top_ui *ui, const struct vmsi_top_model *model,
		 size_t up, size_t down)
{
	if (up)
		vmsi_top_point(ui, model, ui->cursor > up ? ui->cursor - up : 0);
	else
		vmsi_top_point(ui, model, ui->cursor + down);
}

/* Returns whether it is such a key. */
static bool press_motion(struct vmsi_top_ui *ui, const struct vmsi_top_model *model,
			 uint32_t key)
{
	const size_t page = ui->page > 1 ? ui->page - 1 : 1;

	switch (key) {
	case VMSI_TOP_KEY_UP:
		move(ui, model, 1, 0);
		return true;
	case VMSI_TOP_KEY_DOWN:
		move(ui, model, 0, 1);
		return true;
	case VMSI_TOP_KEY_PAGE_UP:
		move(ui, model, page, 0);
		return true;
	case VMSI_TOP_KEY_PAGE_DOWN:
		move(ui, model, 0, page);
		return true;
	case VMSI_TOP_KEY_HOME:
		/* Stays there, whichever row comes there. */
		ui->cursor = 0;
		ui->has_chosen = false;
		return true;
	case VMSI_TOP_KEY_END:
		move(ui, model, 0, model->line_count);
		return true;
	default:
		return false;
	}
}

/* --- folds ------------------------------------------------------------------------- */

static void fold(const struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		 uint32_t key)
{
	const struct vmsi_top_line *line;

	if (ui->cursor >= model->line_count || !model->choice.is_tree)
		return;
	line = &model->lines[ui->cursor];
	vmsi_top_fold(model, line->row->id, key == '+' || key == VMSI_TOP_KEY_RIGHT ?
		      false : key == '-' || key == VMSI_TOP_KEY_LEFT ? true :
		      !line->row->is_folded);
}

static void fold_all(struct vmsi_top_model *model)
{
	bool is_any = false;

	for (size_t i = 0; i < model->count; i++)
		is_any |= model->rows[i].is_folded;
	vmsi_top_fold_all(model, !is_any);
}

/* --- modes ------------------------------------------------------------------------- */

static void take_back(char *filter)
{
	size_t length = strlen(filter);

	/* All bytes of a character of UTF-8. */
	while (length && ((unsigned char)filter[length - 1] & 0xc0) == 0x80)
		length--;
	filter[length ? length - 1 : 0] = '\0';
}

static size_t encode(uint32_t character, char bytes[4])
{
	if (character < 0x80) {
		bytes[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		bytes[0] = (char)(0xc0 | character >> 6);
		bytes[1] = (char)(0x80 | (character & 0x3f));
		return 2;
	}
	if (character < 0x10000) {
		bytes[0] = (char)(0xe0 | character >> 12);
		bytes[1] = (char)(0x80 | (character >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (character & 0x3f));
		return 3;
	}
	bytes[0] = (char)(0xf0 | character >> 18);
	bytes[1] = (char)(0x80 | (character >> 12 & 0x3f));
	bytes[2] = (char)(0x80 | (character >> 6 & 0x3f));
	bytes[3] = (char)(0x80 | (character & 0x3f));
	return 4;
}

static void type(struct vmsi_top_choice *choice, uint32_t character)
{
	const size_t length = strlen(choice->filter);
	char bytes[4];
	size_t more;

	if (character < 0x20 || character == 0x7f || character > 0x10ffff)
		return;
	more = encode(character, bytes);
	if (length + more >= sizeof(choice->filter))
		return;
	memcpy(choice->filter + length, bytes, more);
	choice->filter[length + more] = '\0';
}

static void press_filter(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
			 uint32_t key)
{
	if (key == VMSI_TOP_KEY_ESCAPE)
		model->choice.filter[0] = '\0';
	if (key == VMSI_TOP_KEY_ESCAPE || key == VMSI_TOP_KEY_ENTER)
		ui->mode = VMSI_TOP_LIST;
	else if (key == VMSI_TOP_KEY_BACKSPACE)
		take_back(model->choice.filter);
	else if (!press_motion(ui, model, key))
		type(&model->choice, key);
}

static enum vmsi_top_column next_column(const struct vmsi_top_model *model,
					enum vmsi_top_column column, unsigned step)
{
	do
		column = (column + step) % VMSI_TOP_ORDERS;
	while (!vmsi_top_can_sort(model, column));
	return column;
}

static void press_sort(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		       uint32_t key)
{
	switch (key) {
	case VMSI_TOP_KEY_UP:
		ui->column = next_column(model, ui->column, VMSI_TOP_ORDERS - 1);
		break;
	case VMSI_TOP_KEY_DOWN:
		ui->column = next_column(model, ui->column, 1);
		break;
	case VMSI_TOP_KEY_ENTER:
		vmsi_top_sort_by(model, ui->column);
		ui->mode = VMSI_TOP_LIST;
		break;
	case VMSI_TOP_KEY_ESCAPE:
	case VMSI_TOP_KEY_F(6):
	case VMSI_TOP_KEY_F(10):
	case 'q':
		ui->mode = VMSI_TOP_LIST;
		break;
	default:
		break;
	}
}

static void press_help(struct vmsi_top_ui *ui, uint32_t key)
{
	const size_t page = ui->page ? ui->page : 1;
	const size_t most = ui->help_lines > page ? ui->help_lines - page : 0;

	if (key == VMSI_TOP_KEY_UP)
		ui->below -= ui->below > 0;
	else if (key == VMSI_TOP_KEY_PAGE_UP)
		ui->below -= ui->below < page ? ui->below : page;
	else if (key == VMSI_TOP_KEY_DOWN)
		ui->below++;
	else if (key == VMSI_TOP_KEY_PAGE_DOWN)
		ui->below += page;
	else
		ui->mode = VMSI_TOP_LIST;
	if (ui->below > most)
		ui->below = most;
}

/* A letter that a column has sorts by it. */
static void press_column(struct vmsi_top_model *model, uint32_t key)
{
	for (enum vmsi_top_column i = 0; i < VMSI_TOP_ORDERS; i++)
		if ((uint32_t)vmsi_top_columns[i].key == key)
			vmsi_top_sort_by(model, i);
}

/* What is either on or off. Returns whether it is such a key. */
static bool press_switch(struct vmsi_top_model *model, uint32_t key)
{
	struct vmsi_top_choice *choice = &model->choice;

	switch (key) {
	case 't':
	case VMSI_TOP_KEY_F(5):
		choice->is_tree = !choice->is_tree;
		return true;
	case 'I':
		choice->is_reversed = !choice->is_reversed;
		return true;
	case 'c':
		choice->wants_commands = !choice->wants_commands;
		return true;
	case 'B':
		choice->sizes = choice->sizes == VMSI_SIZE_HUMAN ? VMSI_SIZE_BYTES :
			VMSI_SIZE_HUMAN;
		return true;
	case 'Z':
	case 'z':
		model->is_frozen = !model->is_frozen;
		return true;
	default:
		return false;
	}
}

static void press_list(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		       uint32_t key)
{
	switch (key) {
	case 'q':
	case VMSI_TOP_KEY_F(10):
		ui->wants_to_quit = true;
		break;
	case 'h':
	case '?':
	case VMSI_TOP_KEY_F(1):
		ui->mode = VMSI_TOP_HELP;
		ui->below = 0;
		break;
	case '/':
	case '\\':
	case VMSI_TOP_KEY_F(3):
	case VMSI_TOP_KEY_F(4):
		ui->mode = VMSI_TOP_FILTER;
		break;
	case VMSI_TOP_KEY_ESCAPE:
		model->choice.filter[0] = '\0';
		break;
	case '<':
	case '>':
	case '.':
	case ',':
	case VMSI_TOP_KEY_F(6):
		ui->mode = VMSI_TOP_SORT;
		ui->column = model->choice.sort;
		break;
	case '+':
	case '-':
	case '=':
	case ' ':
	case VMSI_TOP_KEY_ENTER:
	case VMSI_TOP_KEY_LEFT:
	case VMSI_TOP_KEY_RIGHT:
		fold(ui, model, key);
		break;
	case '*':
		fold_all(model);
		break;
	default:
		if (!press_motion(ui, model, key) && !press_switch(model, key))
			press_column(model, key);
		break;
	}
}

void vmsi_top_press(struct vmsi_top_ui *ui, struct vmsi_top_model *model,
		    uint32_t key)
{
	if (key == '\r')
		key = VMSI_TOP_KEY_ENTER;
	if (ui->mode == VMSI_TOP_FILTER)
		press_filter(ui, model, key);
	else if (ui->mode == VMSI_TOP_SORT)
		press_sort(ui, model, key);
	else if (ui->mode == VMSI_TOP_HELP)
		press_help(ui, key);
	else
		press_list(ui, model, key);
}
