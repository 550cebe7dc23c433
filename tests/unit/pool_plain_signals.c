/* SPDX-License-Identifier: MIT */
#include "plain_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/time.h>

/*
 * Signals while faults are handled, handlers that touch the pool, and what is going on in
 * a process that forks, executes or ends.
 */

/* --- handlers that touch the pool --------------------------------------------------------- */

static const char *pages;
static _Atomic uint64_t touched, wrong;
static uint64_t of_handler = 99;

/* Another page each time, seldom one that is there. */
static void touch_some(int number)
{
	const uint64_t page = (of_handler = of_handler * 73 + 5) % FILE_PAGES;
	const int earlier = errno;

	(void)number;
	if (*(const uint64_t *)(pages + page * PAGE) != page * 1000003)
		atomic_fetch_add(&wrong, 1);
	atomic_fetch_add(&touched, 1);
	errno = earlier;
}

static void begin_alarms(void)
{
	struct sigaction action = { .sa_handler = touch_some };
	const struct itimerval often = { .it_interval = { .tv_usec = 300 },
					 .it_value = { .tv_usec = 300 } };

	atomic_store(&touched, 0);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void end_alarms(void)
{
	const struct itimerval never = { .it_value = { 0, 0 } };

	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(signal(SIGALRM, SIG_IGN) == SIG_ERR, 0);
}

#define ALARMS 100

/*
 * The handler interrupts loads, and each call on the pool, at any instant, and needs pages
 * and locks that the interrupted call may have.
 */
static void handlers_touch_what_calls_use(void **state)
{
	const struct place *place = *state;
	const uint64_t few[] = { 400, 401, 17, 300, 250, 41 };

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		void *addresses[6];
		uint64_t page = 1;

		pages = vms_pool_base(pool);
		begin_alarms();
		while (atomic_load(&touched) < ALARMS) {
			page = (page * 29 + 7) % FILE_PAGES;
			if (*(const uint64_t *)(pages + page * PAGE) != page * 1000003)
				atomic_fetch_add(&wrong, 1);
			must_be(pool, (page + 100) % FILE_PAGES, 0);
			must_fix(pool, page, VMS_POOL_WRITE);
			must_unfix(pool, page);
			(void)vms_pool_prefetch(pool, few, 6);
			worked(vms_pool_fix_many(pool, few, addresses, 6, VMS_POOL_READ));
			worked(vms_pool_unfix_many(pool, few, 6));
			if (page % 16 == 0)
				worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
			worked(vms_pool_hint(pool, page, VMS_POOL_DONE));
			worked(vms_pool_set_ram(pool, SMALL_RAM - page % 2 * 64 * PAGE));
		}
		end_alarms();
		assert_int_equal(atomic_load(&wrong), 0);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- a signal in the midst of a call ------------------------------------------------------ */

/*
 * The host's calls that are made while a page is busy, turning or being written, or a lock
 * is held, send a signal to their own thread, whose handler touches that page and others.
 */
static struct vmsi_host_calls real;
static uint64_t page_in_use;

static void touch_what_is_in_use(int number)
{
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)(pages + page_in_use * PAGE);

	touch_some(number);
	words[1] = words[1];
}

static void send_signal(void)
{
	if (pthread_kill(pthread_self(), SIGUSR1) != 0)
		abort();
}

static long signalling_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	send_signal();
	return real.pread(fd, buffer, length, offset);
}

static long signalling_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	send_signal();
	return real.pwrite(fd, buffer, length, offset);
}

static long signalling_control(int fd, unsigned long request, void *argument)
{
	send_signal();
	return real.userfaultfd_control(fd, request, argument);
}

static long signalling_mprotect(uintptr_t start, size_t length, int prot)
{
	send_signal();
	return real.mprotect(start, length, prot);
}

static long signalling_madvise_many(const struct iovec *ranges, int count, int advice)
{
	send_signal();
	return real.madvise_many(ranges, count, advice);
}

static void send_signals(void)
{
	struct sigaction action = { .sa_handler = touch_what_is_in_use };

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	atomic_store(&touched, 0);
	real = vmsi_host;
	vmsi_host.pread = signalling_pread;
	vmsi_host.pwrite = signalling_pwrite;
	vmsi_host.userfaultfd_control = signalling_control;
	vmsi_host.mprotect = signalling_mprotect;
	vmsi_host.madvise_many = signalling_madvise_many;
}

static void signals_wait_while_a_call_has_what_they_need(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		uint64_t ticket;

		pages = vms_pool_base(pool);
		send_signals();
		for (uint64_t page = 0; page < FILE_PAGES; page++) {
			page_in_use = page;
			must_fix(pool, page, page % 2 ? VMS_POOL_READ : VMS_POOL_WRITE);
			must_unfix(pool, page);
			assert_non_null(vms_pool_begin(pool, page, &ticket));
			if (page % 8 == 0)
				worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
			(void)vms_pool_prefetch(pool, &page, 1);
			if (page % 64 == 0)
				worked(vms_pool_set_ram(pool, SMALL_RAM -
							page / 64 % 2 * 64 * PAGE));
		}
		vmsi_host = real;
		/* Signals that wait together are one, and some are of other threads' calls. */
		assert_true(atomic_load(&touched) > FILE_PAGES / 16);
		assert_int_equal(atomic_load(&wrong), 0);
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

/* --- a page that works before the pool says so ---------------------------------------------- */

static pthread_t storing_thread;
static _Atomic bool is_armed, may_go_on;

/* The thread that serves has brought a page, and does not go on before the flush waits. */
static long late_control(int fd, unsigned long request, void *argument)
{
	const long result = real.userfaultfd_control(fd, request, argument);

	while (!pthread_equal(pthread_self(), storing_thread) && atomic_load(&is_armed) &&
	       !atomic_load(&may_go_on))
		(void)sched_yield();
	return result;
}

static long noting_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	if (pthread_equal(pthread_self(), storing_thread))
		atomic_store(&may_go_on, true);
	return real.futex_wait(word, value, nanoseconds);
}

static void a_flush_waits_for_pages_that_come(void **state)
{
	const struct place *place = *state;
	const struct engine *engine = &engines[1];
	int fd = make_pages(place->path, FILE_PAGES);
	vms_pool *pool;
	char *base;

	if (!engine_is_here(engine))
		skip();
	pool = must_open_plain(engine, fd, 0, SMALL_RAM);
	base = vms_pool_base(pool);
	real = vmsi_host;
	storing_thread = pthread_self();
	vmsi_host.userfaultfd_control = late_control;
	vmsi_host.futex_wait = noting_wait;
	atomic_store(&is_armed, true);
	fill_page(base + 9 * PAGE, 9, 1);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	atomic_store(&may_go_on, true);
	assert_int_equal(state_in_file(place->path, 9), 1);
	vmsi_host = real;
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
}

/* --- another handler in between ------------------------------------------------------------- */

static _Atomic unsigned inner;

/* The store below is a fault of this handler, within that of a foreign fault. */
static void mend_foreign(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	inner += *(const uint64_t *)(pages + 77 * PAGE) == 77 * 1000003;
	if (mmap((char *)info->si_addr, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		abort();
}

static void be_nested(const char *path, const struct engine *engine)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char *foreign = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, FILE_PAGES * PAGE);
	vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);

	instead = mend_foreign;
	pages = vms_pool_base(pool);
	*(volatile char *)foreign;
	child_needs(inner == 1);
	child_needs(page_is(pages + 3 * PAGE, 3, 0));
	child_needs(vms_pool_close(pool) == 0);
	_exit(0);
}

static void foreign_faults_go_on(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		pid_t child;

		assert_int_equal(close(fd), 0);
		inner = 0;
		child = fork();
		if (child == 0)
			be_nested(place->path, engine);
		must_end_well(child);
	}
}

/* --- a signal that is blocked ------------------------------------------------------------------ */

static int status_of(void (*act)(void))
{
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static const struct engine *engine_of_child;
static const char *path_of_child;

static vms_pool *open_in_child(void)
{
	int fd = open(path_of_child, O_RDWR | O_CLOEXEC);
	vms_pool *pool = open_plain_pages(engine_of_child, fd, 0, SMALL_RAM, PAGE, 0);

	child_needs(pool);
	child_needs(close(fd) == 0);
	pages = vms_pool_base(pool);
	return pool;
}

static void touch_with_all_blocked(void)
{
	sigset_t all;

	(void)open_in_child();
	sigfillset(&all);
	child_needs(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	child_needs(page_is(pages + 9 * PAGE, 9, 0));
}

/* The kernel ends what has the signal of its own fault blocked. */
static void who_blocks_the_signal_is_served_or_ends(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES), status;

		assert_int_equal(close(fd), 0);
		engine_of_child = engine;
		path_of_child = place->path;
		status = status_of(touch_with_all_blocked);
		if (engine->engine == VMS_POOL_FAULTS_SERVED) {
			assert_int_equal(status, 0);
			continue;
		}
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status),
				 engine->engine == VMS_POOL_FAULTS_SIGNAL ? SIGBUS :
									    SIGSEGV);
	}
}

/* --- fork, exec and exit ------------------------------------------------------------------------- */

static void *touch_for_ever(void *argument)
{
	uint64_t page = (uint64_t)(uintptr_t)argument;

	for (;;) {
		page = (page * 73 + 5) % FILE_PAGES;
		if (*(const volatile uint64_t *)(pages + page * PAGE) != page * 1000003)
			abort();
		atomic_fetch_add(&touched, 1);
	}
	return NULL;
}

static void begin_touching(void)
{
	pthread_t thread;

	(void)open_in_child();
	for (uintptr_t i = 0; i < 3; i++)
		child_needs(pthread_create(&thread, NULL, touch_for_ever, (void *)i) == 0);
	while (atomic_load(&touched) < 1000)
		(void)sched_yield();
}

static void end_meanwhile(void)
{
	begin_touching();
	exit(0);
}

static void execute_meanwhile(void)
{
	char *const arguments[] = { (char *)"true", NULL };

	begin_touching();
	(void)execvp("true", arguments);
	_exit(1);
}

static void fork_meanwhile(void)
{
	int status;
	pid_t child;

	begin_touching();
	child = fork();
	if (child == 0) {
		struct sigaction by_default = { .sa_handler = SIG_DFL };

		child_needs(sigaction(SIGSEGV, &by_default, NULL) == 0);
		_exit(*(const volatile char *)(pages + PAGE));
	}
	child_needs(waitpid(child, &status, 0) == child);
	child_needs(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	_exit(0);
}

static void touches_are_in_flight_when_it_ends(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);

		assert_int_equal(close(fd), 0);
		engine_of_child = engine;
		path_of_child = place->path;
		atomic_store(&touched, 0);
		assert_int_equal(status_of(end_meanwhile), 0);
		assert_int_equal(status_of(execute_meanwhile), 0);
		assert_int_equal(status_of(fork_meanwhile), 0);
	}
}

/* --- a child of fork has none ---------------------------------------------------------------------- */

static void a_child_closes_what_it_has(void **state)
{
	const struct place *place = *state;

	FOR_ENGINES(engine) {
		int fd = make_pages(place->path, FILE_PAGES);
		vms_pool *pool = must_open_plain(engine, fd, 0, SMALL_RAM);
		pid_t child;

		pages = vms_pool_base(pool);
		assert_true(page_is(pages + 5 * PAGE, 5, 0));
		child = fork();
		if (child == 0) {
			child_needs(!vms_pool_base(pool) && errno == EBADF);
			child_needs(vms_pool_pin(pool, pages, 1, VMS_POOL_READ) == -1);
			child_needs(vms_pool_close(pool) == 0);
			/* A pool of its own works. */
			engine_of_child = engine;
			path_of_child = place->path;
			pool = open_in_child();
			child_needs(page_is(pages + 5 * PAGE, 5, 0));
			child_needs(vms_pool_close(pool) == 0);
			_exit(0);
		}
		must_end_well(child);
		assert_true(page_is(pages + 6 * PAGE, 6, 0));
		worked(vms_pool_close(pool));
		assert_int_equal(close(fd), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(handlers_touch_what_calls_use),
		file_test(signals_wait_while_a_call_has_what_they_need),
		file_test(a_flush_waits_for_pages_that_come),
		file_test(foreign_faults_go_on),
		file_test(who_blocks_the_signal_is_served_or_ends),
		file_test(touches_are_in_flight_when_it_ends),
		file_test(a_child_closes_what_it_has),
	};

	catch_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
