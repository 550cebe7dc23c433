/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define OPTIONS_MOST 32

/*
 * What the program has asked for so far: so the usage text and the options that are taken
 * cannot differ.
 */
static struct {
	const char *name;
	const char *text;  /* default of a text; NULL: none, or it is a number */
	uint64_t number;
	bool is_text;
} options[OPTIONS_MOST];

static size_t option_count;
static bool is_checked;

static void print_usage(FILE *stream, const char *program)
{
	(void)fprintf(stream, "usage: %s [OPTION VALUE]...\n", program);
	for (size_t i = 0; i < option_count; i++) {
		(void)fprintf(stream, "  --%s %s", options[i].name,
			      options[i].is_text ? "TEXT" : "NUMBER");
		if (options[i].is_text && options[i].text)
			(void)fprintf(stream, "  (%s)", options[i].text);
		else if (!options[i].is_text && options[i].number == UINT64_MAX)
			(void)fprintf(stream, "  (all)");
		else if (!options[i].is_text)
			(void)fprintf(stream, "  (%llu)",
				      (unsigned long long)options[i].number);
		(void)fputc('\n', stream);
	}
	(void)fprintf(stream, "In brackets is what holds without it. The head of the "
		      "program's source has what each means.\n");
}

void bench_refuse(const char *program, const char *why)
{
	(void)fprintf(stderr, "%s: %s\n", program, why);
	print_usage(stderr, program);
	exit(2);
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < option_count; i++)
		if (strcmp(options[i].name, name) == 0)
			return true;
	return false;
}

/* Remember an option; asked for too late, it would have been refused. */
static void remember(const char *program, const char *name, uint64_t number, bool is_text,
		     const char *text)
{
	if (is_known(name))
		return;
	if (is_checked || option_count == OPTIONS_MOST) {
		(void)fprintf(stderr, "%s: --%s is asked for too late\n", program, name);
		abort();
	}
	options[option_count].name = name;
	options[option_count].number = number;
	options[option_count].is_text = is_text;
	options[option_count++].text = text;
}

/* The last value of "--name VALUE"; NULL: it is absent. */
static const char *value_of(int argc, char **argv, const char *name)
{
	const char *value = NULL;

	for (int i = 1; i + 1 < argc; i++)
		if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
			value = argv[++i];
	return value;
}

const char *bench_text(int argc, char **argv, const char *name, const char *fallback)
{
	const char *value = value_of(argc, argv, name);

	remember(argv[0], name, 0, true, fallback);
	return value ? value : fallback;
}

uint64_t bench_option(int argc, char **argv, const char *name, uint64_t fallback)
{
	const char *text = value_of(argc, argv, name);
	uint64_t value;
	char *end;

	remember(argv[0], name, fallback, false, NULL);
	if (!text)
		return fallback;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || errno || *end) {
		(void)fprintf(stderr, "%s: --%s needs a number\n", argv[0], name);
		exit(2);
	}
	return value;
}

static void check_one(int argc, char **argv, int i)
{
	char why[128];

	if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
		print_usage(stdout, argv[0]);
		exit(0);
	}
	if (strncmp(argv[i], "--", 2) != 0 || !is_known(argv[i] + 2)) {
		(void)snprintf(why, sizeof(why), "'%.80s' is no option", argv[i]);
		bench_refuse(argv[0], why);
	}
	if (i + 1 == argc) {
		(void)snprintf(why, sizeof(why), "%.80s needs a value", argv[i]);
		bench_refuse(argv[0], why);
	}
}

void bench_check_options(int argc, char **argv)
{
	is_checked = true;
	for (int i = 1; i < argc; i += 2)
		check_one(argc, argv, i);
}
