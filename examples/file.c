/* SPDX-License-Identifier: MIT */
/*
 * vmspace/file.h: a hash table that lasts, in one file. A put is there whole or not at
 * all, whenever program or machine stop, and to whoever reads meanwhile.
 *
 *	file PATH put KEY VALUE | file PATH get KEY | file PATH list (earlier values, too)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/file.h>

#define BUCKETS 4096u
#define MAGIC 0x7461626c65303200u

struct table {
	uint64_t magic;
	uint64_t buckets[BUCKETS]; /* offset of the latest entry; 0: none */
};

struct entry {
	uint64_t next;             /* an earlier one of the bucket; 0: none */
	uint32_t key_bytes, value_bytes;
	char bytes[];              /* the key, and the value behind it */
};

/* One process at a time writes; the others wait for up to a minute. */
static vms_file *open_table(const char *path, unsigned flags)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | flags,
	};
	vms_file *file;
	int tries = 0;

	while (!(file = vms_file_open(path, &options)) && errno == EBUSY &&
	       ++tries < 6000)
		usleep(10000);
	return file;
}

/* NULL: the file has no table. What is in a file is anybody's: it is checked. */
static struct table *table_of(const vms_file *file)
{
	struct table *table = vms_file_at(file, 0, sizeof(*table));

	if (table && table->magic == MAGIC)
		return table;
	errno = EBADMSG;
	return NULL;
}

/* NULL: what is at that offset is no entry. */
static const struct entry *entry_at(const vms_file *file, uint64_t at)
{
	const struct entry *entry = at % 8 ? NULL :
		vms_file_at(file, at, sizeof(*entry));

	/* Earlier entries lie before it: so nobody goes round in a circle. */
	if (entry && entry->next < at &&
	    vms_file_at(file, at, sizeof(*entry) + entry->key_bytes +
				      (size_t)entry->value_bytes))
		return entry;
	errno = EBADMSG;
	return NULL;
}

static uint64_t bucket_of(const char *key)
{
	uint64_t hash = 14695981039346656037u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 1099511628211u;
	return hash % BUCKETS;
}

/* The latest entry of a key, or with NULL all there are. */
static int list(const vms_file *file, const char *key, FILE *out)
{
	const struct table *table = table_of(file);
	const uint64_t first = key ? bucket_of(key) : 0;
	const struct entry *entry;

	for (uint64_t i = first; table && i < (key ? first + 1 : BUCKETS); i++)
		for (uint64_t at = table->buckets[i]; at; at = entry->next) {
			entry = entry_at(file, at);
			if (!entry)
				return -1;
			if (key && (entry->key_bytes != strlen(key) ||
				    memcmp(entry->bytes, key, strlen(key)) != 0))
				continue;
			fwrite(entry->bytes, 1, entry->key_bytes, out);
			fputs(" = ", out);
			fwrite(entry->bytes + entry->key_bytes, 1,
			       entry->value_bytes, out);
			putc('\n', out);
			if (key)
				return 0;
		}
	if (table && key)
		errno = ENOKEY;
	return table && !key ? 0 : -1;
}

/*
 * One access sees one commit, and nothing else but an access does. It can hold up the
 * writer: so what is found is printed after it, and not into a pipe that may be full.
 */
static int read_table(const char *path, const char *key)
{
	vms_file *file = open_table(path, VMS_FILE_READ_ONLY);
	struct vms_file_access access;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	int status = -1;

	if (out && file && vms_file_begin_access(file, &access) == 0) {
		status = list(file, key, out);
		if (vms_file_end_access(&access, NULL) != 0)
			status = -1;
	}
	if (out && fclose(out) == 0 && status == 0)
		fputs(text, stdout);
	free(text);
	return vms_file_close(file) == 0 ? status : -1;
}

/* A new entry goes to the front of its bucket, before an earlier one of its key. */
static int add(vms_file *file, const char *key, const char *value)
{
	const size_t key_bytes = strlen(key), value_bytes = strlen(value);
	/* Each entry begins at a multiple of 8. */
	const size_t bytes = (sizeof(struct entry) + key_bytes + value_bytes + 7) & ~7ul;
	struct table *table = table_of(file);
	uint64_t *bucket = table ? &table->buckets[bucket_of(key)] : NULL;
	struct entry *entry;
	uint64_t at;

	if (!table || (*bucket && !entry_at(file, *bucket)) ||
	    vms_file_append(file, NULL, bytes, &at) != 0 ||
	    vms_file_will_write(file, at, bytes) != 0 ||
	    vms_file_will_write(file, (size_t)((char *)bucket - (char *)table),
				sizeof(*bucket)) != 0)
		return -1;
	entry = vms_file_at(file, at, bytes);
	entry->next = *bucket;
	entry->key_bytes = (uint32_t)key_bytes;
	entry->value_bytes = (uint32_t)value_bytes;
	memcpy(entry->bytes, key, key_bytes);
	memcpy(entry->bytes + key_bytes, value, value_bytes);
	*bucket = at;
	return vms_file_commit(file);
}

/* Closed in any case: else the journal stays. What was not committed is dropped. */
static int put(const char *path, const char *key, const char *value)
{
	static const struct table empty = { .magic = MAGIC };
	vms_file *file = open_table(path, VMS_FILE_TELLS | VMS_FILE_CREATE);
	int status = -1;

	if (file && (vms_file_size(file) > 0 ||
		     vms_file_append(file, &empty, sizeof(empty), NULL) == 0))
		status = add(file, key, value);
	return vms_file_close(file) == 0 ? status : -1;
}

static int show(void)
{
	char path[] = "/tmp/vmspace-table-XXXXXX";
	const int fd = mkstemp(path);
	int status = -1;

	if (fd >= 0 && close(fd) == 0 && put(path, "apple", "red") == 0 &&
	    put(path, "apple", "green") == 0 && read_table(path, "apple") == 0)
		status = read_table(path, NULL);
	unlink(path);
	return status;
}

int main(int argc, char **argv)
{
	int status = 2;

	if (argc == 1)
		status = show();
	else if (argc == 5 && strcmp(argv[2], "put") == 0)
		status = put(argv[1], argv[3], argv[4]);
	else if (argc > 2 && strcmp(argv[2], argc == 4 ? "get" : "list") == 0)
		status = read_table(argv[1], argv[3]);
	if (status < 0)
		perror(argv[1] ? argv[1] : argv[0]);
	return status < 0 ? 1 : status;
}
