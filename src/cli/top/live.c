/* SPDX-License-Identifier: MIT */
#include "cli/top/live.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/top/terminal.h"

/* Lines that a turn of the wheel moves the cursor. */
#define WHEEL 3

struct live {
	struct vmsi_top_source *source;
	struct vmsi_top_model *model;
	struct vmsi_top_ui ui;
	struct vmsi_top_screen screen;
	struct vmsi_top_layout layout;
	unsigned room;       /* lines that the screen has memory for */
	uint64_t delay, next; /* nanoseconds */
	sigset_t unblocked;  /* while it waits */
	bool is_gone;        /* the terminal */
	int error;
};

/* --- signals ----------------------------------------------------------------------- */

/*
 * Signals come only while the program waits for a key, so that ncurses, which stops it
 * at SIGTSTP and draws the screen again after SIGCONT, is never interrupted in itself.
 */

static volatile sig_atomic_t caught;

static const int ending[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };

static void note(int number)
{
	caught = number;
}

static void wake(int number)
{
	(void)number;
}

static void set_signals(struct live *live)
{
	struct sigaction action = { .sa_handler = note };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		struct sigaction before;

		/* nohup(1) has it ignored. */
		sigaction(ending[i], NULL, &before);
		if (before.sa_handler != SIG_IGN)
			sigaction(ending[i], &action, NULL);
		sigaddset(&blocked, ending[i]);
	}
	action.sa_handler = wake;
	sigaction(SIGWINCH, &action, NULL);
	sigaddset(&blocked, SIGWINCH);
	sigaddset(&blocked, SIGTSTP);
	sigprocmask(SIG_BLOCK, &blocked, &live->unblocked);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		sigdelset(&live->unblocked, ending[i]);
}

/* End by the signal that was caught, as the shell is to see. */
static void end_by_signal(const struct live *live)
{
	if (!caught)
		return;
	signal(caught, SIG_DFL);
	raise(caught);
	sigprocmask(SIG_SETMASK, &live->unblocked, NULL);
}

/* --- the screen ---------------------------------------------------------------------- */

static bool make_room(struct live *live, unsigned height)
{
	struct vmsi_top_canvas *lines;

	if (height <= live->room)
		return true;
	lines = reallocarray(live->screen.lines, height, sizeof(*lines));
	if (!lines) {
		live->error = -ENOMEM;
		return false;
	}
	live->screen.lines = lines;
	live->room = height;
	return true;
}

/* The lines anew, and where they stand. */
static void arrange(struct live *live)
{
	struct vmsi_top_screen *screen = &live->screen;

	if (vmsi_top_order(live->model))
		live->error = -ENOMEM;
	vmsi_top_terminal_size(&screen->width, &screen->height);
	live->layout = vmsi_top_layout(live->model, screen->width, screen->height);
	live->ui.page = live->layout.list;
	live->ui.help_lines = vmsi_top_help_lines(live->model);
	vmsi_top_settle(&live->ui, live->model);
}

static void show(struct live *live)
{
	arrange(live);
	if (live->error || !make_room(live, live->screen.height))
		return;
	live->screen.title = vmsi_top_source_title(live->source);
	vmsi_top_draw(&live->screen, &live->layout, live->model, &live->ui);
	vmsi_top_note_shown(live->model, live->ui.first, live->layout.list);
	vmsi_top_terminal_draw(&live->screen);
}

/* --- keys ---------------------------------------------------------------------------- */

static void turn_wheel(struct live *live, int lines)
{
	for (unsigned i = 0; i < WHEEL; i++)
		vmsi_top_press(&live->ui, live->model, lines < 0 ?
			       VMSI_TOP_KEY_UP : VMSI_TOP_KEY_DOWN);
}

static void press_keys(struct live *live)
{
	struct vmsi_top_press press;

	while (!live->ui.wants_to_quit && !live->error &&
	       vmsi_top_terminal_press(&press)) {
		if (press.is_click)
			vmsi_top_click(&live->ui, live->model, &live->layout,
				       live->screen.width, live->screen.height,
				       press.column, press.line);
		else if (press.wheel)
			turn_wheel(live, press.wheel);
		else if (press.key)
			vmsi_top_press(&live->ui, live->model, press.key);
		/* The next key is about the lines that this one has made. */
		arrange(live);
	}
}

static void wait_for_keys(struct live *live)
{
	const uint64_t now = vmsi_clock_ns();
	const uint64_t left = live->next > now ? live->next - now : 0;
	const struct timespec timeout = { (time_t)(left / 1000000000),
					  (long)(left % 1000000000) };
	struct pollfd watched = { .fd = STDIN_FILENO, .events = POLLIN };

	if (ppoll(&watched, 1, live->model->is_frozen ? NULL : &timeout,
		  &live->unblocked) <= 0)
		return;
	live->is_gone = (watched.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
	if (!live->is_gone)
		press_keys(live);
}

/* --- all of it ------------------------------------------------------------------------ */

static void read_again(struct live *live)
{
	const uint64_t now = vmsi_clock_ns();

	if (live->model->is_frozen || now < live->next)
		return;
	live->error = vmsi_top_source_read(live->source, live->model);
	/* What was missed while the program was stopped is not made up for. */
	live->next += live->delay;
	if (live->next < now)
		live->next = now + live->delay;
}

static void run(struct live *live)
{
	while (!live->error && !caught && !live->is_gone && !live->ui.wants_to_quit) {
		read_again(live);
		if (!live->error)
			show(live);
		if (!live->error)
			wait_for_keys(live);
	}
}

enum vmsi_exit vmsi_top_live(struct vmsi_top_source *source,
			     struct vmsi_top_model *model, uint64_t delay_ns)
{
	struct live live = {
		.source = source, .model = model, .delay = delay_ns,
		.screen.is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
	const char *why;

	/* What cannot be read is told before there is a screen. */
	live.error = vmsi_top_source_read(source, model);
	if (live.error) {
		vmsi_top_source_explain(source, live.error);
		return VMSI_EXIT_FAILED;
	}
	live.next = vmsi_clock_ns() + delay_ns;
	set_signals(&live);
	why = vmsi_top_terminal_open();
	if (why) {
		vmsi_complain("screen", "%s; --once does without", why);
		return VMSI_EXIT_FAILED;
	}
	run(&live);
	vmsi_top_terminal_close();
	free(live.screen.lines);
	if (live.error)
		vmsi_top_source_explain(source, live.error);
	end_by_signal(&live);
	return live.error || live.is_gone ? VMSI_EXIT_FAILED : VMSI_EXIT_OK;
}
