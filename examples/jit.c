/* SPDX-License-Identifier: MIT */
/*
 * vmspace/code.h: a compiler for expressions of x, such as "3*x*x - 2*(x+7)".
 *
 * Each expression is parsed to a list of operations for a machine with a stack. An
 * interpreter runs the list; a compiler writes it as instructions of the processor.
 * Both are timed with the same values, and must agree.
 *
 *	example-jit [EXPRESSION]
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <vmspace/code.h>

#define OPERATIONS 200
#define DEPTH 60
#define VALUES 2000000

enum kind { PUSH, PUSH_X, ADD, SUBTRACT, MULTIPLY };

struct operation {
	enum kind kind;
	uint32_t number; /* of PUSH */
};

struct program {
	struct operation operations[OPERATIONS];
	size_t count;
	unsigned depth, deepest;
	const char *rest; /* of the text */
	int wrong;
};

/* --- the language ---------------------------------------------------------------------- */

static void emit(struct program *program, enum kind kind, uint32_t number)
{
	program->depth += kind <= PUSH_X ? 1u : -1u;
	if (program->depth > program->deepest)
		program->deepest = program->depth;
	if (program->count == OPERATIONS || program->deepest > DEPTH) {
		program->wrong = 1;
		return;
	}
	program->operations[program->count++] =
		(struct operation){ kind, number };
}

static char next(struct program *program)
{
	while (isspace((unsigned char)*program->rest))
		program->rest++;
	return *program->rest;
}

static void parse_sum(struct program *program, int nested);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the parentheses */
static void parse_value(struct program *program, int nested)
{
	uint32_t number = 0;
	const char first = next(program);

	if (first == '(' && nested < DEPTH) {
		program->rest++;
		parse_sum(program, nested + 1);
		program->wrong |= next(program) != ')';
		program->rest += !program->wrong;
	} else if (first == 'x') {
		program->rest++;
		emit(program, PUSH_X, 0);
	} else if (isdigit((unsigned char)first)) {
		for (; isdigit((unsigned char)*program->rest); program->rest++) {
			const uint32_t digit = (uint32_t)(*program->rest - '0');

			program->wrong |= number > (UINT32_MAX - digit) / 10;
			number = number * 10 + digit;
		}
		emit(program, PUSH, number);
	} else {
		program->wrong = 1;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void parse_product(struct program *program, int nested)
{
	parse_value(program, nested);
	while (!program->wrong && next(program) == '*') {
		program->rest++;
		parse_value(program, nested);
		emit(program, MULTIPLY, 0);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void parse_sum(struct program *program, int nested)
{
	parse_product(program, nested);
	while (!program->wrong &&
	       (next(program) == '+' || *program->rest == '-')) {
		const char sign = *program->rest++;

		parse_product(program, nested);
		emit(program, sign == '+' ? ADD : SUBTRACT, 0);
	}
}

static int parse(struct program *program, const char *text)
{
	*program = (struct program){ .rest = text };
	parse_sum(program, 0);
	return !program->wrong && next(program) == '\0';
}

static uint64_t interpret(const struct program *program, uint64_t x)
{
	static uint64_t stack[DEPTH];
	uint64_t *top = stack;

	for (size_t i = 0; i < program->count; i++) {
		const struct operation *operation = &program->operations[i];

		switch (operation->kind) {
		case PUSH:
			*top++ = operation->number;
			break;
		case PUSH_X:
			*top++ = x;
			break;
		case ADD:
			top--;
			top[-1] += *top;
			break;
		case SUBTRACT:
			top--;
			top[-1] -= *top;
			break;
		default:
			top--;
			top[-1] *= *top;
		}
	}
	return stack[0];
}

/* --- the compiler ----------------------------------------------------------------------- */

/* The most bytes of one operation, and of what comes first and last. */
#define OPERATION_BYTES 16

static unsigned char *put(unsigned char *at, const void *bytes, size_t length)
{
	memcpy(at, bytes, length);
	return at + length;
}

#if defined(__x86_64__)

/* x is in rdi. The top of the stack is in rax, the rest is on the processor's stack. */
static unsigned char *compile_operation(unsigned char *at,
					const struct operation *operation)
{
	switch (operation->kind) {
	case PUSH:
		at = put(at, "\x50\xb8", 2);                 /* push rax; mov eax, */
		return put(at, &operation->number, 4);
	case PUSH_X:
		return put(at, "\x50\x48\x89\xf8", 4);       /* push rax; mov rax, rdi */
	case ADD:
		return put(at, "\x59\x48\x01\xc8", 4);       /* pop rcx; add rax, rcx */
	case SUBTRACT:
		/* pop rcx; sub rcx, rax; mov rax, rcx */
		return put(at, "\x59\x48\x29\xc1\x48\x89\xc8", 7);
	default:
		return put(at, "\x59\x48\x0f\xaf\xc1", 5);   /* pop rcx; imul rax, rcx */
	}
}

/* What lies below the first value was pushed with it. */
static unsigned char *compile_return(unsigned char *at)
{
	return put(at, "\x59\xc3", 2);                       /* pop rcx; ret */
}

#elif defined(__aarch64__)

static unsigned char *put_word(unsigned char *at, uint32_t word)
{
	return put(at, &word, sizeof(word));
}

/* x is in x0. The top of the stack is in x9, the rest is on the processor's stack. */
static unsigned char *compile_operation(unsigned char *at,
					const struct operation *operation)
{
	const uint32_t number = operation->number;

	if (operation->kind <= PUSH_X)
		at = put_word(at, 0xf81f0fe9);  /* str x9, [sp, -16]! */
	else
		at = put_word(at, 0xf84107ea);  /* ldr x10, [sp], 16 */
	switch (operation->kind) {
	case PUSH:
		at = put_word(at, 0x52800009 | (number & 0xffff) << 5);
		return put_word(at, 0x72a00009 | (number >> 16) << 5);
	case PUSH_X:
		return put_word(at, 0xaa0003e9); /* mov x9, x0 */
	case ADD:
		return put_word(at, 0x8b090149); /* add x9, x10, x9 */
	case SUBTRACT:
		return put_word(at, 0xcb090149); /* sub x9, x10, x9 */
	default:
		return put_word(at, 0x9b097d49); /* mul x9, x10, x9 */
	}
}

static unsigned char *compile_return(unsigned char *at)
{
	at = put_word(at, 0xaa0903e0);           /* mov x0, x9 */
	at = put_word(at, 0xf84107e9);           /* ldr x9, [sp], 16 */
	return put_word(at, 0xd65f03c0);         /* ret */
}

#endif

typedef uint64_t compiled(uint64_t x);

static int compile(vms_code *code, const struct program *program,
		   struct vms_code_block *block)
{
	unsigned char *at;

	/* So many bytes at most; the size is known when it is written. */
	if (vms_code_alloc(code, (program->count + 1) * OPERATION_BYTES,
			   block) < 0)
		return -1;
	at = block->write;
	for (size_t i = 0; i < program->count; i++)
		at = compile_operation(at, &program->operations[i]);
	at = compile_return(at);
	block->size = (size_t)(at - (unsigned char *)block->write);
	return vms_code_publish(code, block);
}

/* --- both ---------------------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int compare(const struct program *program, compiled *function)
{
	uint64_t interpreted = 0, ran = 0;
	double begin = seconds(), middle, end;

	for (uint64_t x = 0; x < VALUES; x++)
		interpreted += interpret(program, x);
	middle = seconds();
	for (uint64_t x = 0; x < VALUES; x++)
		ran += function(x);
	end = seconds();
	printf("the sum over %d values is %" PRId64 "\n", VALUES, (int64_t)ran);
	printf("interpreted %.1f ns each, compiled %.1f: %.1f times as fast\n",
	       (middle - begin) / VALUES * 1e9, (end - middle) / VALUES * 1e9,
	       (middle - begin) / (end - middle));
	return interpreted == ran ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] :
				      "(x + 1) * (x + 2) - 3*x*(x - 4) + 1000";
	struct vms_code_stats stats = { .struct_size = sizeof(stats) };
	static struct program program;
	struct vms_code_block block;
	vms_code *code = vms_code_open(NULL);
	compiled *function;

	if (!parse(&program, text)) {
		fprintf(stderr, "example-jit: not understood: %s\n", text);
		return 2;
	}
	if (!code || compile(code, &program, &block) < 0 ||
	    vms_code_settle(code) < 0 || vms_code_get_stats(code, &stats) < 0) {
		perror("example-jit");
		fprintf(stderr, "%s\n", vms_code_problem(code));
		return 1;
	}
	printf("%s: %zu operations, %zu bytes of code, %zu of them writable\n",
	       text, program.count, block.size, stats.writable);
	memcpy(&function, &block.run, sizeof(function));
	return compare(&program, function) != 0 ||
		vms_code_free(code, &block) < 0 || vms_code_close(code) < 0;
}
