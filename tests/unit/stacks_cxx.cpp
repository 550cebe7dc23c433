// SPDX-License-Identifier: MIT
// Stacks of a pool from C++: fibers of Boost.Context, its bare entry points, and
// coroutines of C++20, whose frames lie on stacks or that run on them.
#include <coroutine>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef HAVE_BOOST_CONTEXT
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#endif

#include <vmspace.h>

namespace {

constexpr std::size_t many = 1000;
constexpr std::size_t stack_size = 64 << 10;

vms_stacks *pool;

int cases;
bool all_good = true;

void tap_case(bool good, const char *name)
{
	std::printf("%sok %d - %s\n", good ? "" : "not ", ++cases, name);
	all_good = all_good && good;
}

std::size_t taken()
{
	vms_stacks_stats stats = {};

	stats.struct_size = sizeof stats;
	return vms_stacks_get_stats(pool, &stats) == 0 ? stats.taken : ~std::size_t{};
}

/* The number of the stack that somebody has an address of; many: it is of none. */
std::size_t stack_of(const void *address)
{
	vms_stack stack;

	return vms_stacks_find(pool, address, &stack) == 0 ? stack.number : many;
}

void give_stack_of(const void *address) noexcept
{
	vms_stack stack;

	if (vms_stacks_find(pool, address, &stack) != 0 ||
	    vms_stacks_give(pool, &stack) != 0)
		std::abort();
}

/* Each frame is used after the call, too. */
[[gnu::noinline]] std::size_t recurse(std::size_t depth)
{
	volatile char bytes[100];

	if (depth == 0)
		return 0;
	bytes[0] = 1;
	return recurse(depth - 1) + bytes[0];
}

/* --- coroutines of C++20 ---------------------------------------------------------------- */

/* A coroutine whose frame lies at the top of a stack. */
struct task {
	struct promise_type {
		std::size_t value = 0;

		static void *operator new(std::size_t size)
		{
			vms_stack stack;

			if (size > stack_size ||
			    vms_stacks_take(pool, "task", &stack) != 0)
				throw std::bad_alloc();
			return static_cast<char *>(stack.top) -
				(size + 63) / 64 * 64;
		}
		static void operator delete(void *frame) noexcept
		{
			give_stack_of(frame);
		}
		task get_return_object()
		{
			return { std::coroutine_handle<promise_type>::from_promise(
				*this) };
		}
		std::suspend_always initial_suspend() noexcept { return {}; }
		std::suspend_always final_suspend() noexcept { return {}; }
		std::suspend_always yield_value(std::size_t given)
		{
			value = given;
			return {};
		}
		void return_void() {}
		void unhandled_exception() { std::terminate(); }
	};
	std::coroutine_handle<promise_type> handle;
};

task count_from(std::size_t first, std::size_t count)
{
	char local[200];

	std::memset(local, static_cast<int>(first), sizeof local);
	for (std::size_t i = 0; i < count; i++) {
		co_yield first + i;
		if (local[199] != static_cast<char>(first))
			std::abort();
	}
}

bool frames_lie_on_stacks()
{
	std::vector<task> tasks;
	bool good = true;

	for (std::size_t i = 0; i < many; i++)
		tasks.push_back(count_from(i, 3));
	good = taken() == many;
	for (std::size_t step = 0; step < 3; step++)
		for (std::size_t i = 0; i < many; i++) {
			tasks[i].handle.resume();
			good = good && tasks[i].handle.promise().value == i + step;
		}
	for (auto &task : tasks)
		task.handle.destroy();
	return good && taken() == 0;
}

task tell_where(std::size_t *numbers)
{
	for (;; numbers++) {
		*numbers = stack_of(__builtin_frame_address(0));
		co_yield recurse(100);
	}
}

task *resumed;
ucontext_t outside, inside;

void resume_it()
{
	resumed->handle.resume();
}

/* Resumed on one stack and then on another, its calls are there. */
bool coroutines_run_on_stacks()
{
	std::size_t numbers[2] = { many, many };
	task task = tell_where(numbers);
	vms_stack stacks[2];
	bool good = true;

	resumed = &task;
	for (auto &stack : stacks) {
		good = good && vms_stacks_take(pool, "runs", &stack) == 0 &&
			getcontext(&inside) == 0;
		inside.uc_stack.ss_sp = stack.base;
		inside.uc_stack.ss_size = stack.size;
		inside.uc_link = &outside;
		makecontext(&inside, resume_it, 0);
		good = good && swapcontext(&outside, &inside) == 0 &&
			task.handle.promise().value == 100;
	}
	for (int i = 0; i < 2; i++)
		good = good && numbers[i] == stacks[i].number &&
			vms_stacks_give(pool, &stacks[i]) == 0;
	task.handle.destroy();
	return good && taken() == 0;
}

/* --- Boost.Context ------------------------------------------------------------------------ */

#ifdef HAVE_BOOST_CONTEXT
namespace context = boost::context;

/* What Boost.Context asks for stacks: sp is the top. */
struct pool_allocator {
	context::stack_context allocate()
	{
		context::stack_context result;
		vms_stack stack;

		if (vms_stacks_take(pool, "fiber", &stack) != 0)
			throw std::bad_alloc();
		result.sp = stack.top;
		result.size = stack.size;
		return result;
	}
	void deallocate(context::stack_context &stack) noexcept
	{
		give_stack_of(static_cast<char *>(stack.sp) - 1);
	}
};

template <typename Function> context::fiber make_fiber(Function function)
{
	return { std::allocator_arg, pool_allocator(), std::move(function) };
}

std::size_t visits, caught;

context::fiber make_visitor(std::size_t number)
{
	return make_fiber([number](context::fiber &&other) {
		const std::size_t here = stack_of(__builtin_frame_address(0));

		for (int i = 0; i < 3; i++) {
			visits += recurse(number % 50) == number % 50 && here < many;
			other = std::move(other).resume();
		}
		try {
			if (stack_of(__builtin_frame_address(0)) == here)
				throw std::runtime_error("thrown");
		} catch (const std::runtime_error &) {
			caught++;
		}
		return std::move(other);
	});
}

bool fibers_run_on_stacks()
{
	std::vector<context::fiber> fibers;
	bool good;

	for (std::size_t i = 0; i < many; i++)
		fibers.push_back(make_visitor(i));
	good = taken() == many;
	for (int step = 0; step < 4; step++)
		for (auto &fiber : fibers)
			fiber = std::move(fiber).resume();
	return good && visits == 3 * many && caught == many && taken() == 0;
}

struct destroyed_last {
	~destroyed_last() { caught++; }
};

/* Its frames are unwound on its stack, which goes back then. */
bool a_fiber_that_waits_is_destroyed()
{
	caught = 0;
	{
		context::fiber fiber = make_fiber([](context::fiber &&other) {
			destroyed_last last;

			other = std::move(other).resume();
			return std::move(other);
		});

		fiber = std::move(fiber).resume();
		if (taken() != 1)
			return false;
	}
	return caught == 1 && taken() == 0;
}

std::size_t entered_on;

void entry(context::detail::transfer_t from)
{
	entered_on = stack_of(__builtin_frame_address(0));
	context::detail::jump_fcontext(from.fctx, from.data);
}

bool bare_entry_points_begin_at_the_top()
{
	vms_stack stack;
	char data;

	if (vms_stacks_take(pool, nullptr, &stack) != 0)
		return false;
	return context::detail::jump_fcontext(
		       context::detail::make_fcontext(stack.top, stack.size, entry),
		       &data).data == &data &&
		entered_on == stack.number && vms_stacks_give(pool, &stack) == 0;
}

void overflow_in_fiber()
{
	const rlimit no_core = { 0, 0 };

	std::signal(SIGSEGV, SIG_DFL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (vms_stacks_watch_thread(pool) != 0)
		_exit(1);
	context::fiber fiber = make_fiber([](context::fiber &&other) {
		_exit(recurse(1 << 30) == 0);
		return std::move(other);
	});
	fiber = std::move(fiber).resume();
	_exit(2);
}

bool an_overflow_is_told()
{
	const std::string wanted = "libvmspace: stack overflow: stack ";
	char text[500];
	std::string report;
	int ends[2], status;
	ssize_t got;
	pid_t child;

	if (pipe(ends) != 0 || (child = fork()) < 0)
		return false;
	if (child == 0) {
		if (dup2(ends[1], STDERR_FILENO) < 0)
			_exit(1);
		overflow_in_fiber();
	}
	close(ends[1]);
	while ((got = read(ends[0], text, sizeof text)) > 0)
		report.append(text, static_cast<std::size_t>(got));
	close(ends[0]);
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
		WTERMSIG(status) == SIGSEGV &&
		report.find(wanted) != std::string::npos &&
		report.find("\"fiber\" of pool \"fibers\"") != std::string::npos;
}
#endif

} // namespace

int main()
{
	vms_stacks_options options = {};

	options.struct_size = sizeof options;
	options.name = "fibers";
	pool = vms_stacks_open(many, stack_size, &options);
	if (!pool)
		return 1;
	tap_case(frames_lie_on_stacks(), "frames of coroutines lie on stacks");
	tap_case(coroutines_run_on_stacks(), "coroutines run on stacks");
#ifdef HAVE_BOOST_CONTEXT
	tap_case(fibers_run_on_stacks(), "fibers run on stacks");
	tap_case(a_fiber_that_waits_is_destroyed(), "a fiber that waits is destroyed");
	tap_case(bare_entry_points_begin_at_the_top(), "bare entry points");
	tap_case(an_overflow_is_told(), "an overflow is told");
#else
	std::printf("ok %d # SKIP there was no Boost.Context to build with\n", ++cases);
#endif
	tap_case(vms_stacks_close(pool) == 0, "the pool is closed");
	std::printf("1..%d\n", cases);
	return all_good ? 0 : 1;
}
