/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/common/log.h"

/* beyond every letter that getopt returns */
#define FIRST_WORD 256

static const char usage[] =
	"usage: natd [--config FILE] [--state DIR] [--socket PATH] [--verbose]\n"
	"       natd --check [--config FILE]\n"
	"       natd --teardown [--state DIR]\n"
	"       natd --recover [--config FILE] [--state DIR]\n"
	"\n"
	"NAT gateway whose port forwards are what they are listed as. See natd(8).\n"
	"\n"
	"  --config FILE   configuration (/etc/natd/natd.conf)\n"
	"  --state DIR     where natd.db is kept (/var/lib/natd)\n"
	"  --socket PATH   where natctl finds natd (/run/natd/api.sock)\n"
	"  --check         say whether the configuration is right, and end\n"
	"  --teardown      while natd is stopped: take its table out of the kernel, and back\n"
	"                  what the router above us holds\n"
	"  --recover       make a new natd.db where it is damaged or too old, and end\n"
	"  --verbose       log more\n"
	"  --version       print the version, and end\n"
	"  --help          print this, and end\n";

static int print_version(void)
{
	puts("natd " NATD_VERSION);
	return EXIT_SUCCESS;
}

static int print_usage(void)
{
	fputs(usage, stdout);
	return EXIT_SUCCESS;
}

static int log_more(void)
{
	log_level(LOG_DEBUG);
	return GO_ON;
}

/**
 * struct word - an option
 * @text: where in struct options its argument goes; 0: it takes none
 * @act:  done at once. Return: GO_ON, or the exit status
 * @task: with neither of them, which it asks for
 */
static const struct word {
	const char *name;
	size_t text;
	enum task task;
	int (*act)(void);
} words[] = {
	{ .name = "config", .text = offsetof(struct options, config) },
	{ .name = "state", .text = offsetof(struct options, state) },
	{ .name = "socket", .text = offsetof(struct options, socket) },
	{ .name = "check", .task = TASK_CHECK },
	{ .name = "teardown", .task = TASK_TEARDOWN },
	{ .name = "recover", .task = TASK_RECOVER },
	{ .name = "verbose", .act = log_more },
	{ .name = "version", .act = print_version },
	{ .name = "help", .act = print_usage },
};

static int take_word(const struct word *word, struct options *ret)
{
	if (word->text)
		memcpy((char *)ret + word->text, &optarg, sizeof(optarg));
	else if (word->act)
		return word->act();
	else
		ret->task = word->task;
	return GO_ON;
}

static void list_words(struct option ret[static ARRAY_SIZE(words) + 1])
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		ret[i] = (struct option){
			.name = words[i].name,
			.has_arg = words[i].text ? required_argument : no_argument,
			.val = FIRST_WORD + (int)i,
		};
	ret[ARRAY_SIZE(words)] = (struct option){ 0 };
}

int options_parse(int argc, char *argv[], struct options *ret)
{
	struct option known[ARRAY_SIZE(words) + 1];
	int c, status = GO_ON;

	list_words(known);
	while (status == GO_ON && (c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'h')
			return print_usage();
		if (c < FIRST_WORD) { /* getopt has said which */
			fputs("natd --help lists the options.\n", stderr);
			return EXIT_USAGE;
		}
		status = take_word(&words[c - FIRST_WORD], ret);
	}
	if (status != GO_ON || optind == argc)
		return status;
	fprintf(stderr, "natd: takes no operand, and got \"%s\".\n", argv[optind]);
	return EXIT_USAGE;
}
