/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * replay - gives a fuzz target the files of its corpus, where libFuzzer is not at hand
 *
 *	replay FOLDER
 *
 * Each file as it is, and each of its beginnings. Prints TAP: one case for each file.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From a block of its own length, so that a sanitizer sees a step beyond. */
static int give(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		return -1;
	for (size_t i = 0; i < len; i++)
		copy[i] = bytes[i];
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	return 0;
}

static int replay(const char *folder, const char *name)
{
	static uint8_t bytes[INPUT_MAX];
	char path[4096];
	size_t len;
	FILE *file;
	int r = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file)
		return -1;
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	for (size_t n = 0; r == 0 && n <= len; n++)
		r = give(bytes, n);
	return r;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	int failed = 0, n;

	n = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : -1;
	if (n <= 0) {
		fprintf(stderr, "usage: replay FOLDER, with a corpus in it\n");
		return 2;
	}
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		int r = replay(argv[1], entries[i]->d_name);

		printf("%sok %d - %s\n", r < 0 ? "not " : "", i + 1, entries[i]->d_name);
		failed |= r < 0;
		free(entries[i]);
	}
	free(entries);
	return failed;
}
