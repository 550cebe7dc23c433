/* SPDX-License-Identifier: MIT */
/*
 * vmspace/share.h: how often each word is in some files, counted by a process a file.
 *
 *	share FILE...
 *
 * The children put words into one table, which grows while they do. Its links are
 * offsets from the beginning of the share, since each process may have it elsewhere.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace/share.h>

#define LISTS 4096
#define LONGEST 64
#define STEP ((uint64_t)64 << 10) /* that a process takes at once */

struct word {
	uint64_t next;         /* offset of the next one in its list; 0: none */
	_Atomic uint64_t count;
	char text[LONGEST];
};

/* It begins with the offset of the latest word of each list. */
static vms_share *share;

/* Room for a word that no other process gets: its offset, or 0. */
static uint64_t new_word(void)
{
	static uint64_t next, end;

	next += sizeof(struct word);
	if (next > end) {
		if (vms_share_extend(share, STEP, &next) != 0)
			return 0;
		end = next + STEP;
		next += sizeof(struct word);
	}
	return next - sizeof(struct word);
}

/* The word in a list, from one on up to another. */
static struct word *find(uint64_t from, uint64_t to, const char *text)
{
	struct word *word = NULL;

	for (; from != to; from = word->next) {
		/* What others have added is there, however the share has grown. */
		word = vms_share_at(share, from, sizeof(*word));
		if (strcmp(word->text, text) == 0)
			return word;
	}
	return NULL;
}

static _Atomic uint64_t *list_of(const char *text)
{
	uint32_t hash = 2166136261u;

	while (*text)
		hash = (hash ^ (unsigned char)*text++) * 16777619u;
	return (_Atomic uint64_t *)vms_share_base(share) + hash % LISTS;
}

static int count_word(const char *text)
{
	_Atomic uint64_t *list = list_of(text);
	uint64_t first = atomic_load(list), searched = 0, place = 0;
	struct word *word;

	while (!(word = find(first, searched, text))) {
		struct word *added;

		if (!place && !(place = new_word()))
			return -1;
		added = vms_share_at(share, place, sizeof(*added));
		memcpy(added->text, text, strlen(text) + 1);
		added->count = 1;
		added->next = searched = first;
		/* Where others were faster, one of theirs may be the same word. */
		if (atomic_compare_exchange_strong(list, &first, place))
			return 0;
	}
	atomic_fetch_add(&word->count, 1);
	return 0;
}

static int count_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char text[LONGEST];
	int error = file ? 0 : -1;

	if (!error)
		(void)!fscanf(file, "%*[^A-Za-z]");
	while (!error && fscanf(file, "%63[A-Za-z]%*[^A-Za-z]", text) == 1)
		error = count_word(text);
	if (error)
		perror(path);
	return error != 0;
}

static int print_words(void)
{
	uint64_t words = 0, sum = 0;
	const struct word *word, *common = NULL;
	const _Atomic uint64_t *lists = vms_share_base(share);

	for (size_t i = 0; i < LISTS; i++)
		for (uint64_t at = lists[i]; at; at = word->next) {
			word = vms_share_at(share, at, sizeof(*word));
			words++;
			sum += word->count;
			if (!common || word->count > common->count)
				common = word;
		}
	printf("%" PRIu64 " words, %" PRIu64 " different ones, in %" PRIu64 " KiB\n",
	       sum, words, vms_share_size(share) >> 10);
	if (!common)
		return -1;
	printf("\"%s\" is there %" PRIu64 " times\n", common->text,
	       common->count);
	return 0;
}

int main(int argc, char **argv)
{
	int status, failed = 0;

	/* Addresses for 1 GiB; memory for the lists alone. */
	share = vms_share_create(NULL, LISTS * sizeof(uint64_t), 1 << 30, NULL);
	if (!share || argc < 2)
		return 2;
	for (int i = 1; i < argc; i++)
		if (fork() == 0)
			_exit(count_file(argv[i]));
	while (wait(&status) > 0)
		failed |= status != 0;
	failed |= print_words() != 0;
	return vms_share_close(share) != 0 || failed;
}
