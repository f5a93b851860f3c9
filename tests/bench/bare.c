/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bare STORE N PORT
 *
 * The least that one durable add can cost: a question and an answer over a UNIX socket,
 * between them one element added by netlink to "inet hand forward" and the rows that natd
 * writes for it committed to STORE, a copy of its store. Every add is taken back, which
 * is not timed. Prints the median in nanoseconds, of the whole and of its parts.
 */

#include <linux/netfilter/nf_tables.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/rawnl.h"
#include "tests/bench/timing.h"

/* as long as natd's */
#define QUESTION_LEN 230
#define ANSWER_LEN   430
#define FAR_ID	     1000000

static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			       "PRAGMA cache_size = -16384;";
/* as natd does, with what new columns are when nobody says */
static const char insert[] =
	"INSERT INTO mapping (id, name, protocol, external_address, external_port,"
	" internal_address, internal_port, origin, owner_uid, enabled, created, changed,"
	" changed_by, n_ports, lifetime, expires, suffix, lan, comment, remotes,"
	" upstream, checksum) VALUES (?1, '', 'tcp', '*4', ?2,"
	" '192.168.1.10', 9, 'admin', 0, 1, 1700000000,"
	" 1700000000, 0, 1, 0, 0, 0, '', '', '', '', 4711)";
static const char update[] = "UPDATE meta SET sequence = ?1, next_id = ?1, rows = ?1, "
			     "digest = ?1, checksum = ?1 WHERE one = 1";

struct bare {
	sqlite3 *db;
	sqlite3_stmt *insert, *update;
	struct rawnl raw;
	unsigned int port;
	struct times kernel, store;
};

static void run(struct bare *b, sqlite3_stmt *statement)
{
	if (sqlite3_step(statement) != SQLITE_DONE)
		die("the store: %s", sqlite3_errmsg(b->db));
	sqlite3_reset(statement);
}

static void exec(struct bare *b, const char *sql)
{
	if (sqlite3_exec(b->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die("the store: %s", sqlite3_errmsg(b->db));
}

static void bare_open(struct bare *b, const char *path, unsigned int port)
{
	*b = (struct bare){ .port = port };
	rawnl_open(&b->raw);
	if (sqlite3_open(path, &b->db) != SQLITE_OK)
		die("%s", path);
	exec(b, settings);
	if (sqlite3_prepare_v2(b->db, insert, -1, &b->insert, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(b->db, update, -1, &b->update, NULL) != SQLITE_OK)
		die("the store: %s", sqlite3_errmsg(b->db));
}

static void add(struct bare *b, int i)
{
	uint64_t begun = now();

	exec(b, "BEGIN IMMEDIATE");
	sqlite3_bind_int(b->insert, 1, FAR_ID + i);
	sqlite3_bind_int(b->insert, 2, (int)b->port);
	run(b, b->insert);
	sqlite3_bind_int(b->update, 1, i);
	run(b, b->update);
	times_add(&b->store, now() - begun);
	begun = now();
	rawnl_change(&b->raw, NFT_MSG_NEWSETELEM, b->port, 1);
	times_add(&b->kernel, now() - begun);
	begun = now();
	exec(b, "COMMIT");
	b->store.ns[b->store.n - 1] += now() - begun;
}

static void take_back(struct bare *b)
{
	rawnl_change(&b->raw, NFT_MSG_DELSETELEM, b->port, 1);
	exec(b, "DELETE FROM mapping WHERE id >= 1000000");
}

/* Asks and waits, in a process of its own as a client would be. */
static void client(int fd, int n)
{
	char question[QUESTION_LEN] = { 0 }, answer[ANSWER_LEN];
	struct times times = { 0 };

	for (int i = 0; i < n; i++) {
		uint64_t begun = now();

		write_all(fd, question, sizeof(question));
		for (size_t len = 0; len < sizeof(answer);)
			len += read_some(fd, answer, sizeof(answer) - len);
		times_add(&times, now() - begun);
		/* the add is taken back: that has an end as well */
		read_some(fd, answer, 1);
	}
	putchar('{');
	times_print(&times, "add");
	fflush(stdout);
	times_done(&times);
}

static void serve(struct bare *b, int fd, int n)
{
	char question[QUESTION_LEN], answer[ANSWER_LEN] = { 0 };

	for (int i = 0; i < n; i++) {
		for (size_t len = 0; len < sizeof(question);)
			len += read_some(fd, question, sizeof(question) - len);
		add(b, i);
		write_all(fd, answer, sizeof(answer));
		take_back(b);
		write_all(fd, answer, 1);
	}
}

int main(int argc, char *argv[])
{
	int pair[2], n, status;
	struct bare b;
	pid_t pid;

	if (argc != 4 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("bare STORE N PORT");
	n = atoi(argv[2]);
	pid = fork();
	if (pid == 0) {
		client(pair[1], n);
		return EXIT_SUCCESS;
	}
	bare_open(&b, argv[1], (unsigned int)atoi(argv[3]));
	serve(&b, pair[0], n);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		die("the client failed");
	putchar(',');
	times_print(&b.kernel, "kernel");
	putchar(',');
	times_print(&b.store, "store");
	puts("}");
	times_done(&b.kernel);
	times_done(&b.store);
	sqlite3_finalize(b.insert);
	sqlite3_finalize(b.update);
	sqlite3_close(b.db);
	rawnl_close(&b.raw);
	return EXIT_SUCCESS;
}
