/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target on files, without libFuzzer, and prints TAP: a case a
 * file. usage: PROGRAM FILE...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All of a file; NULL where it cannot be read. */
static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	long length;

	if (!file)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0) {
		rewind(file);
		*size = (size_t)length;
		/* Exactly as long, so that a read past its end is seen. */
		data = malloc(*size ? *size : 1);
		if (data && fread(data, 1, *size, file) != *size) {
			free(data);
			data = NULL;
		}
	}
	fclose(file);
	return data;
}

int main(int argc, char **argv)
{
	int failed = 0;

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		size_t size = 0;
		uint8_t *data = read_file(argv[i], &size);

		if (data)
			LLVMFuzzerTestOneInput(data, size);
		else
			failed = 1;
		printf("%sok %d - %s\n", data ? "" : "not ", i, argv[i]);
		fflush(stdout);
		free(data);
	}
	return failed;
}
