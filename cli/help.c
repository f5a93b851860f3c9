/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cli/verb.h"

#define LINE_WIDTH 79

static const struct {
	const char *option;
	const char *meaning;
} meanings[] = {
	{ "--name", "of the forward" },
	{ "--from", "remote prefix that may use it, up to 64 times" },
	{ "--lease", "for how long: 90s, 15m, 1h, 7d, 1w" },
	{ "--at", "external address, if it is not to be any" },
	{ "--comment", "a note for people" },
	{ "--upstream", "default, yes, no or required: at the router above us" },
	{ "--force", "also where a program of the gateway listens" },
	{ "--drain", "established connections go on as they are" },
	{ "--disabled", "put it down, and into force later" },
	{ "--to", "internal host, or host and port" },
	{ "--proto", "tcp, udp, sctp or udplite" },
	{ "--port", "external port" },
	{ "--state", "active, disabled, waiting or shadowed" },
	{ "--owner", "who added it: uid:1000, a user's name, or config" },
	{ "--problems", "those alone that have some" },
	{ "--wide", "all columns: service, owner and comment, too" },
	{ "--wait", "until there is one, or so long" },
	{ "--gateway", "natd's own, not that of the router above us" },
	{ "--remote", "address or prefix at the other end" },
	{ "--kill", "end them" },
	{ "--all", "the configuration file's forwards too" },
	{ "--since", "number of the last event that is known" },
	{ "--number", "end after so many events" },
	{ "--once", "end after one event" },
	{ "--exec", "run CMD for each event, its JSON on standard input" },
	{ "--timeout-exec", "a CMD that runs longer is killed (30)" },
	{ "--json", "print natd's answer as it is" },
	{ "--quiet", "print ids at most" },
	{ "--socket", "natd's socket (NATD_SOCKET, /run/natd/api.sock)" },
	{ "--timeout", "of silence after which natd is given up (30)" },
	{ "--help", "of natctl, or of a verb" },
	{ "--file", "read commands from FILE, - is stdin, over one connection" },
	{ "--atomic", "with -f: all lines, which only change forwards, or none" },
	{ "--version", "of natctl" },
};

static const char *meaning_of(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (!strcmp(meanings[i].option, option))
			return meanings[i].meaning;
	}
	return "";
}

/* Does @option stand in @usage before @at, in another alternative? */
static bool stood_before(const char *usage, const char *at, const char *option)
{
	char spellings[GRAMMAR_WORD_MAX];
	struct grammar_option o;

	while (grammar_next_option(&usage, &o, spellings) && usage < at) {
		if (!strcmp(o.name, option))
			return true;
	}
	return false;
}

static void print_options(FILE *out, const char *usage)
{
	char spellings[GRAMMAR_WORD_MAX], left[3 * GRAMMAR_WORD_MAX];
	const char *at = usage;
	struct grammar_option o;

	while (grammar_next_option(&at, &o, spellings)) {
		const char *bar = strchr(spellings, '|');
		int letter = bar ? (int)(bar - spellings) : 0;

		if (stood_before(usage, at, o.name))
			continue;
		snprintf(left, sizeof(left), "%*.*s%s%s%s%s%s", 2, letter, spellings,
			 bar ? ", " : "  ", o.name, o.may_lack ? "[=" : " ", o.value,
			 o.may_lack ? "]" : "");
		fprintf(out, "  %-23s %s\n", left, meaning_of(o.name));
	}
}

void verb_print_overview(FILE *out)
{
	fputs("natctl - port forwards of natd\n\n"
	      "  natctl add tcp 8080 192.168.1.10:80 --name web\n"
	      "  natctl list\n"
	      "  natctl remove web\n\n"
	      "Usage: natctl [OPTION...] VERB ...\n"
	      "       natctl [OPTION...] -f FILE\n\n",
	      out);
	for (size_t i = 0; verbs[i]; i++)
		fprintf(out, "  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	fputc('\n', out);
	print_options(out, verb_common_usage);
	print_options(out, verb_alone_usage);
	fputs("\nMore: natctl help VERB, natctl(1)\n", out);
}

/* Options that would not fit go on in the next line, beneath the first operand. */
static void print_usage(FILE *out, const char *name, const char *usage, size_t len)
{
	const char *end = usage + len;
	size_t margin = strlen("Usage: natctl ") + strlen(name), at = margin;

	fprintf(out, "Usage: natctl %s", name);
	while (usage < end) {
		const char *gap = memmem(usage, (size_t)(end - usage), " [-", 3);
		size_t n = (size_t)((gap ? gap : end) - usage);

		if (at + 1 + n > LINE_WIDTH) {
			fprintf(out, "\n%*s", (int)margin, "");
			at = margin;
		}
		fprintf(out, " %.*s", (int)n, usage);
		at += 1 + n;
		usage += n + 1;
	}
	fputc('\n', out);
}

void verb_print_help(FILE *out, const struct verb *verb)
{
	const char *alternative = verb->usage, *bar;

	fprintf(out, "natctl %s - %s\n\n", verb->name, verb->summary);
	while ((bar = strstr(alternative, " | "))) {
		print_usage(out, verb->name, alternative, (size_t)(bar - alternative));
		alternative = bar + strlen(" | ");
	}
	print_usage(out, verb->name, alternative, strlen(alternative));
	fprintf(out, "\n%s\n", verb->help);
	print_options(out, verb->usage);
	print_options(out, verb_common_usage);
}

static int help_run(struct session *session, const struct args *args)
{
	const struct verb *verb, *nearest;

	if (!args->n_operands) {
		verb_print_overview(stdout);
		return EXIT_DONE;
	}
	verb = verb_find(args->operands[0]);
	nearest = verb ? NULL : verb_nearest(args->operands[0]);
	if (nearest)
		return session_usage(session, "unknown verb %s. Did you mean %s?",
				     args->operands[0], nearest->name);
	if (!verb)
		return session_usage(session, "unknown verb %s. See: natctl help",
				     args->operands[0]);
	verb_print_help(stdout, verb);
	return EXIT_DONE;
}

const struct verb verb_help = {
	.name = "help",
	.also = "man usage",
	.usage = "[VERB]",
	.summary = "this, or more of one verb",
	.help = "  natctl help add\n",
	.run = help_run,
};
