/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * replay - gives a fuzz target the files of its corpus, where libFuzzer is not at hand
 *
 *	replay FOLDER|FILE
 *
 * Each file as it is, and some of its beginnings. Prints TAP: one case for the whole, and
 * in front of it the name of each file, so that the last one is the one that ended it.
 */

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX      65536
#define BEGINNINGS_MAX 64

/* From a block of its own length, so that a sanitizer sees a step beyond. */
static int give(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		return -1;
	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	return 0;
}

static int replay(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	size_t len, step;
	FILE *file;
	int r = 0;

	printf("# %s\n", path);
	fflush(stdout);
	file = fopen(path, "rb");
	if (!file)
		return -1;
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	step = len / BEGINNINGS_MAX + 1;
	for (size_t n = 0; r == 0 && n < len; n += step)
		r = give(bytes, n);
	return r < 0 ? r : give(bytes, len);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Return: how many there were; -1: one could not be given. */
static int replay_all(const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_input, alphasort), r = 0;

	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		r |= replay(path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	struct stat st;
	int n;

	if (argc != 2 || stat(argv[1], &st) < 0) {
		fprintf(stderr, "usage: replay FOLDER|FILE\n");
		return 2;
	}
	puts("1..1");
	if (S_ISDIR(st.st_mode))
		n = replay_all(argv[1]);
	else
		n = replay(argv[1]) < 0 ? -1 : 1;
	printf("%sok 1 - the corpus is replayed\n", n > 0 ? "" : "not ");
	return n > 0 ? 0 : 1;
}
