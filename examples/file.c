/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/file.h>

/*
 * A persistent hash table in one file. A put is there whole or not at all, whenever the
 * program is killed or the machine stops.
 *
 *	file PATH put KEY VALUE | file PATH get KEY | file PATH list
 *
 * Without arguments it shows itself on a file of its own.
 */

#define BUCKETS 4096u
#define MAGIC 0x7461626c65303100u

struct table {
	uint64_t magic;
	uint64_t count;
	uint64_t buckets[BUCKETS]; /* offset of the first entry; 0: none */
};

struct entry {
	uint64_t next;             /* in the bucket; 0: none */
	uint32_t key_bytes;
	uint32_t value_bytes;
	char bytes[];              /* the key, and the value behind it */
};

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct table *table_of(vms_file *file)
{
	return vms_file_at(file, 0, sizeof(struct table));
}

/* A field of the table. */
static int will_change(vms_file *file, const uint64_t *field)
{
	const char *base = vms_file_at(file, 0, 0);

	return vms_file_will_write(file, (uint64_t)((const char *)field - base),
				   sizeof(*field));
}

static const struct entry *entry_at(vms_file *file, uint64_t offset)
{
	return vms_file_at(file, offset, sizeof(struct entry));
}

static vms_file *open_table(const char *path)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_TELLS | VMS_FILE_CREATE,
	};
	vms_file *file = vms_file_open(path, &options);

	if (!file)
		fail(path);
	if (vms_file_size(file) == 0) {
		if (vms_file_resize(file, sizeof(struct table)) != 0 ||
		    will_change(file, &table_of(file)->magic) != 0)
			fail(path);
		table_of(file)->magic = MAGIC;
		if (vms_file_commit(file) != 0)
			fail(path);
	}
	if (!table_of(file) || table_of(file)->magic != MAGIC) {
		fprintf(stderr, "%s: no table\n", path);
		exit(1);
	}
	return file;
}

static uint64_t bucket_of(const char *key)
{
	uint64_t hash = 14695981039346656037u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 1099511628211u;
	return hash % BUCKETS;
}

static const struct entry *find(vms_file *file, const char *key)
{
	const struct entry *entry = NULL;
	uint64_t at = table_of(file)->buckets[bucket_of(key)];

	for (; at; at = entry->next) {
		entry = entry_at(file, at);
		if (entry->key_bytes == strlen(key) &&
		    memcmp(entry->bytes, key, entry->key_bytes) == 0)
			return entry;
	}
	return NULL;
}

/* A new entry goes to the front of its bucket, before an older one of its key. */
static void put(vms_file *file, const char *key, const char *value)
{
	const uint64_t bucket = bucket_of(key);
	const size_t key_bytes = strlen(key), value_bytes = strlen(value);
	const size_t bytes = sizeof(struct entry) + key_bytes + value_bytes;
	/* Each entry begins at a multiple of 8. */
	struct entry *entry = calloc(1, (bytes + 7) / 8 * 8);
	uint64_t at;

	if (!entry)
		fail("calloc");
	entry->next = table_of(file)->buckets[bucket];
	entry->key_bytes = (uint32_t)key_bytes;
	entry->value_bytes = (uint32_t)value_bytes;
	memcpy(entry->bytes, key, key_bytes);
	memcpy(entry->bytes + key_bytes, value, value_bytes);
	if (vms_file_append(file, entry, (bytes + 7) / 8 * 8, &at) != 0 ||
	    will_change(file, &table_of(file)->count) != 0 ||
	    will_change(file, &table_of(file)->buckets[bucket]) != 0)
		fail("put");
	table_of(file)->count++;
	table_of(file)->buckets[bucket] = at;
	if (vms_file_commit(file) != 0)
		fail("commit");
	free(entry);
}

static void get(vms_file *file, const char *key)
{
	const struct entry *entry = find(file, key);

	printf("%.*s\n", entry ? (int)entry->value_bytes : 4,
	       entry ? entry->bytes + entry->key_bytes : "none");
}

static void list(vms_file *file)
{
	for (uint64_t i = 0; i < BUCKETS; i++) {
		const struct entry *entry = NULL;

		for (uint64_t at = table_of(file)->buckets[i]; at;
		     at = entry->next) {
			entry = entry_at(file, at);
			printf("%.*s = %.*s\n", (int)entry->key_bytes,
			       entry->bytes, (int)entry->value_bytes,
			       entry->bytes + entry->key_bytes);
		}
	}
}

static int show(void)
{
	char path[] = "/tmp/vmspace-table-XXXXXX";
	const int fd = mkstemp(path);
	vms_file *file;

	if (fd < 0)
		fail(path);
	close(fd);
	file = open_table(path);
	put(file, "apple", "red");
	put(file, "plum", "blue");
	put(file, "apple", "green");
	vms_file_close(file);
	file = open_table(path);
	get(file, "apple");
	get(file, "plum");
	get(file, "pear");
	vms_file_close(file);
	return unlink(path);
}

int main(int argc, char **argv)
{
	vms_file *file;

	if (argc == 1)
		return show();
	if (argc < 3)
		return 2;
	file = open_table(argv[1]);
	if (argc == 5 && strcmp(argv[2], "put") == 0)
		put(file, argv[3], argv[4]);
	else if (argc == 4 && strcmp(argv[2], "get") == 0)
		get(file, argv[3]);
	else if (argc == 3 && strcmp(argv[2], "list") == 0)
		list(file);
	else
		return 2;
	return vms_file_close(file) == 0 ? 0 : 1;
}
