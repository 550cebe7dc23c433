/* SPDX-License-Identifier: MIT */
/*
 * Does what the lines of its standard input say, and answers each with "ok":
 *
 *	touch NAME BYTES   map memory that is called so, and write to it
 *	map NAME BYTES     the same without touching it
 *	drop NAME          unmap it
 *	half NAME          unmap the second half of it
 *	thread             start a thread that lives until the end
 *	fork               fork a child that lives until it is killed; "ok PID"
 *	end                end that child
 *	exec NAME          execute this program again, by another name
 *	rename NAME        change the name of the process
 *	quit STATUS
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECES 16

static struct piece {
	char name[80];
	char *at;
	size_t length;
} pieces[PIECES];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct piece *find(const char *name)
{
	for (size_t i = 0; i < PIECES; i++)
		if (strcmp(pieces[i].name, name) == 0)
			return &pieces[i];
	fprintf(stderr, "%s?\n", name);
	exit(1);
}

/* A private mapping of a memfd has its name on every kernel. */
static void map(const char *name, size_t length, int is_touched)
{
	struct piece *piece = find("");
	const int file = memfd_create(name, MFD_CLOEXEC);

	if (file < 0 || ftruncate(file, (off_t)length))
		die("memfd_create");
	piece->at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	if (piece->at == MAP_FAILED)
		die("mmap");
	close(file);
	snprintf(piece->name, sizeof(piece->name), "%s", name);
	piece->length = length;
	if (is_touched)
		memset(piece->at, 1, length);
}

static void drop(const char *name, size_t parts)
{
	struct piece *piece = find(name);
	const size_t kept = piece->length - piece->length / parts;

	if (munmap(piece->at + kept, piece->length - kept))
		die("munmap");
	piece->length = kept;
	if (!kept)
		piece->name[0] = '\0';
}

static void *wait_for_ever(void *nothing)
{
	(void)nothing;
	pause();
	return NULL;
}

static pid_t make_child(void)
{
	const pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "the child");
		for (;;)
			pause();
	}
	return child;
}

static void start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_for_ever, NULL))
		die("pthread_create");
}

static pid_t child;

static void end_child(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Returns what to say. */
static const char *obey(char *line)
{
	static char text[32];
	char *what = strtok(line, " \n"), *name = strtok(NULL, " \n");
	char *number = strtok(NULL, " \n");

	if (strcmp(what, "touch") == 0 || strcmp(what, "map") == 0)
		map(name, strtoull(number, NULL, 10), *what == 't');
	else if (strcmp(what, "drop") == 0)
		drop(name, 1);
	else if (strcmp(what, "half") == 0)
		drop(name, 2);
	else if (strcmp(what, "thread") == 0)
		start_thread();
	else if (strcmp(what, "end") == 0)
		end_child();
	else if (strcmp(what, "exec") == 0)
		execl(name, name, (char *)NULL);
	else if (strcmp(what, "rename") == 0)
		prctl(PR_SET_NAME, name);
	else if (strcmp(what, "quit") == 0)
		exit(atoi(name));
	if (strcmp(what, "fork") != 0)
		return "ok";
	child = make_child();
	snprintf(text, sizeof(text), "ok %d", (int)child);
	return text;
}

int main(void)
{
	char line[256];

	printf("up %d\n", (int)getpid());
	fflush(stdout);
	/* What is read ahead would be lost to the program that is executed. */
	setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		puts(obey(line));
		fflush(stdout);
	}
	return 0;
}
