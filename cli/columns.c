/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/columns.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/cleanup.h"

/* to which what may be cut is not cut before all is left out that may be */
#define SHORT_WIDTH 16

/*
 * struct columns
 * @rows: each one allocation, its cells one after the other, NUL between them
 * @used: of each column: a cell of it holds something
 * @least: columns that may be left out from this number on are
 */
struct columns {
	const struct column *columns;
	bool *used;
	size_t n;
	char **rows;
	size_t n_rows, room;
	unsigned int least;
};

/* what we use of libsmartcols, found at run time; the types are its header's */
struct library {
	__typeof__(scols_new_table) *new_table;
	__typeof__(scols_unref_table) *unref_table;
	__typeof__(scols_table_new_column) *new_column;
	__typeof__(scols_table_new_line) *new_line;
	__typeof__(scols_line_set_data) *set_data;
	__typeof__(scols_table_set_stream) *set_stream;
	__typeof__(scols_table_set_termforce) *set_termforce;
	__typeof__(scols_print_table) *print;
};

int columns_new(const struct column *columns, size_t n, struct columns **ret)
{
	struct columns *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->used = calloc(n, sizeof(*table->used));
	if (!table->used) {
		free(table);
		return -ENOMEM;
	}
	table->least = UINT_MAX;
	table->columns = columns;
	table->n = n;
	*ret = table;
	return 0;
}

void columns_free(struct columns *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_rows; i++)
		free(table->rows[i]);
	free(table->rows);
	free(table->used);
	free(table);
}

static char *join(const struct columns *table, const char *const *cells)
{
	size_t len = 0;
	char *row, *at;

	assert(table->n > 0);
	for (size_t i = 0; i < table->n; i++)
		len += strlen(cells[i]) + 1;
	row = at = malloc(len);
	for (size_t i = 0; row && i < table->n; i++)
		at = stpcpy(at, cells[i]) + 1;
	return row;
}

int columns_add(struct columns *table, const char *const *cells)
{
	char *row;

	if (table->n_rows == table->room) {
		size_t room = table->room ? 2 * table->room : 32;
		char **rows = realloc(table->rows, room * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		table->rows = rows;
		table->room = room;
	}
	row = join(table, cells);
	if (!row)
		return -ENOMEM;
	table->rows[table->n_rows++] = row;
	for (size_t i = 0; i < table->n; i++)
		table->used[i] |= *cells[i] && strcmp(cells[i], "-") != 0;
	return 0;
}

static bool is_shown(const struct columns *table, size_t i)
{
	const struct column *c = &table->columns[i];

	return !c->hidden && (!c->sparse || table->used[i]) && c->spare < table->least;
}

static bool library_find(void *handle, struct library *ret)
{
	static const char *const names[] = {
		"scols_new_table",	     "scols_unref_table",
		"scols_table_new_column",    "scols_table_new_line",
		"scols_line_set_data",	     "scols_table_set_stream",
		"scols_table_set_termforce", "scols_print_table",
	};
	void *found[ARRAY_SIZE(names)];

	_Static_assert(sizeof(found) == sizeof(*ret), "a name for each function");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		found[i] = dlsym(handle, names[i]);
		if (!found[i])
			return false;
	}
	memcpy(ret, found, sizeof(found));
	return true;
}

/* Kept open: it is asked for once, and the process ends soon. */
static bool library_load(struct library *ret)
{
	void *handle = dlopen("libsmartcols.so.1", RTLD_NOW | RTLD_LOCAL);

	return handle && library_find(handle, ret);
}

static int fill_line(const struct library *lib, struct libscols_line *line,
		     const struct columns *table, const char *cell)
{
	size_t n = 0;

	for (size_t j = 0; j < table->n; j++) {
		if (is_shown(table, j) && (!line || lib->set_data(line, n++, cell) != 0))
			return -ENOMEM;
		cell += strlen(cell) + 1;
	}
	return 0;
}

static int fill(const struct library *lib, struct libscols_table *out,
		const struct columns *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct column *c = &table->columns[i];
		int flags =
			(c->right ? SCOLS_FL_RIGHT : 0) | (c->cut ? SCOLS_FL_TRUNC : 0);

		if (is_shown(table, i) &&
		    !lib->new_column(out, c->name, c->cut ? 0.1 : 1, flags))
			return -ENOMEM;
	}
	for (size_t i = 0; i < table->n_rows; i++) {
		struct libscols_line *line = lib->new_line(out, NULL);

		if (fill_line(lib, line, table, table->rows[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int print_with(const struct library *lib, const struct columns *table, FILE *out)
{
	struct libscols_table *scols = lib->new_table();
	int r = scols ? fill(lib, scols, table) : -ENOMEM;

	if (r == 0) {
		lib->set_stream(scols, out);
		lib->set_termforce(scols, isatty(fileno(out)) ? SCOLS_TERMFORCE_AUTO
							      : SCOLS_TERMFORCE_NEVER);
		r = lib->print(scols) < 0 ? -ENOMEM : 0;
	}
	if (scols)
		lib->unref_table(scols);
	return r;
}

int columns_print(const struct columns *table, FILE *out)
{
	struct library lib;

	if (library_load(&lib))
		return print_with(&lib, table, out);
	return columns_print_plain(table, out);
}

static const char *cell_of(const char *row, size_t i)
{
	while (i--)
		row += strlen(row) + 1;
	return row;
}

static int width_of(const struct columns *table, size_t column)
{
	size_t width = strlen(table->columns[column].name);

	for (size_t i = 0; i < table->n_rows; i++) {
		size_t len = strlen(cell_of(table->rows[i], column));

		width = len > width ? len : width;
	}
	return (int)width;
}

static size_t width_of_all(const struct columns *table)
{
	size_t width = 0;

	for (size_t j = 0; j < table->n; j++) {
		size_t w = (size_t)width_of(table, j);

		if (!is_shown(table, j))
			continue;
		if (table->columns[j].cut && w > SHORT_WIDTH)
			w = SHORT_WIDTH;
		width += w + (width ? 1 : 0);
	}
	return width;
}

static unsigned int sparest(const struct columns *table)
{
	unsigned int most = 0;

	for (size_t j = 0; j < table->n; j++) {
		if (is_shown(table, j) && table->columns[j].spare > most)
			most = table->columns[j].spare;
	}
	return most;
}

void columns_fit(struct columns *table, FILE *out)
{
	const int fd = fileno(out);
	struct winsize size;
	unsigned int most;

	if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return;
	while (width_of_all(table) > size.ws_col && (most = sparest(table)))
		table->least = most;
}

/* @row NULL: the names of the columns */
static void print_row(const struct columns *table, const int *widths, const char *row,
		      FILE *out)
{
	size_t last = table->n - 1;

	while (last && !is_shown(table, last))
		last--;
	for (size_t j = 0; j <= last; j++) {
		const struct column *c = &table->columns[j];
		const char *text = row ? cell_of(row, j) : c->name;
		int width = c->right ? widths[j] : j == last ? 0 : -widths[j];

		if (is_shown(table, j))
			fprintf(out, "%*s%c", width, text, j == last ? '\n' : ' ');
	}
}

int columns_print_plain(const struct columns *table, FILE *out)
{
	int *widths = calloc(table->n, sizeof(*widths));

	if (!widths)
		return -ENOMEM;
	for (size_t j = 0; j < table->n; j++)
		widths[j] = width_of(table, j);
	print_row(table, widths, NULL, out);
	for (size_t i = 0; i < table->n_rows; i++)
		print_row(table, widths, table->rows[i], out);
	free(widths);
	return 0;
}
