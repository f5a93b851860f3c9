/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/config/config_parse.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

/*
 * Theory of operation
 *
 * Every value is a CFGT_PTR, read by word_read(), because only there libconfuse tells the
 * line a value stands in. Every block is checked when it closes, by block_closed(), and
 * then taken out of libconfuse's tree: it compares a new title with all that it holds,
 * and replaces a block of the same title without a word; and "wan|mss = off" would alter
 * a block that was checked already.
 *
 * libconfuse's callbacks carry no pointer of ours. Its lexer is a global as well.
 */
static struct config_reader *reading;

/* libconfuse keeps option flags that it does not know; it uses the lower bits */
#define FLAG_GIVEN (1 << 30)

int config_flaw(struct config_reader *reader, unsigned int line, const char *format, ...)
{
	char what[400];
	va_list ap;

	if (reader->error)
		return -EINVAL;
	reader->error = -EINVAL;
	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	snprintf(reader->why->text, sizeof(reader->why->text), "%.*s:%u: %s",
		 (int)(sizeof(reader->why->text) - strlen(what) - 16),
		 reader->config->path, line, what);
	return -EINVAL;
}

const struct config_word *config_block_word(const struct config_block *block,
					    const char *name, unsigned int i)
{
	cfg_opt_t *option = cfg_getopt(block->section, name);

	return i < cfg_opt_size(option) ? cfg_opt_getnptr(option, i) : NULL;
}

bool config_block_has(const struct config_block *block, const char *name)
{
	return cfg_getopt(block->section, name)->flags & CFGF_MODIFIED;
}

static int word_read(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	size_t len = strlen(value);
	struct config_word *word;

	/* of a list, the second assignment throws away what the first put in */
	if (option->nvalues == 1 && option->flags & FLAG_GIVEN)
		return config_flaw(reading, (unsigned int)section->line,
				   "\"%s\" is given twice", option->name);
	option->flags |= FLAG_GIVEN;

	word = malloc(sizeof(*word) + len + 1);
	if (!word) {
		reading->error = -ENOMEM;
		return -1;
	}
	word->line = (unsigned int)section->line;
	memcpy(word->text, value, len + 1);
	*(void **)result = word;
	return 0;
}

/* Of the block that closes now: blocks close in the order in which they began. */
static unsigned int block_line(bool is_inner)
{
	const struct config_text *text = reading->text;
	size_t nth = is_inner ? reading->n_inner++ : reading->n_closed++;

	if (is_inner)
		return nth < text->n_inner ? text->inner[nth] : 0;
	return nth < text->n_blocks ? text->blocks[nth] : 0;
}

static int block_closed(cfg_t *parent, cfg_opt_t *option)
{
	static const struct {
		const char *name;
		int (*take)(const struct config_block *block);
	} kinds[] = {
		{ "wan", config_take_wan },	      { "lan", config_take_lan },
		{ "firewall", config_take_firewall }, { "ports", config_take_ports },
		{ "outbound", config_take_outbound }, { "snat", config_take_snat },
		{ "upstream", config_take_upstream }, { "access", config_take_access },
		{ "group", config_take_group },	      { "user", config_take_user },
		{ "forward", config_take_forward },
	};
	cfg_t *section = cfg_opt_getnsec(option, 0);
	struct config_block block = {
		.reader = reading,
		.section = section,
		.title = section->title,
		.line = block_line(!strcmp(parent->name, "access")),
	};
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i].name, option->name))
			r = kinds[i].take(&block);
	}
	if (r == -ENOMEM)
		reading->error = r;
	cfg_opt_rmnsec(option, 0);
	return r;
}

/* "interfaces, mss": the words that @section takes */
static const char *words_of(const cfg_t *section, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (const cfg_opt_t *option = section->opts; option->name && at < size;
	     option++) {
		int n = snprintf(buf + at, size - at, "%s%s", at ? ", " : "",
				 option->name);

		at += n > 0 ? (size_t)n : 0;
	}
	return buf;
}

static void say_unknown(const cfg_t *section, unsigned int line, const char *word)
{
	bool top = !strcmp(section->name, "root");
	char words[256];

	config_flaw(reading, line, "\"%.64s\" is not known%s%s; known are: %s", word,
		    top ? "" : " in ", top ? "" : section->name,
		    words_of(section, words, sizeof(words)));
}

/* cfg_error() hands on a format of its own; those that people meet get more to say. */
__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *section,
							   const char *format, va_list ap)
{
	unsigned int line = (unsigned int)section->line;
	char what[256];

	if (line > reading->text->lines)
		line = reading->text->lines;
	if (!strncmp(format, "no such option", 14)) {
		say_unknown(section, line, va_arg(ap, const char *));
	} else if (!strncmp(format, "no sub-section", 14)) {
		config_flaw(reading, line,
			    "\"|\" is not understood; a block is like wan { }");
	} else {
		vsnprintf(what, sizeof(what), format, ap);
		config_flaw(reading, line, "%s%s", what,
			    strcmp(what, "unexpected token ','")
				    ? ""
				    : "; a value with a comma in it stands in quotes");
	}
}

#define WORD(name)  CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, word_read, free)
#define WORDS(name) CFG_PTR_LIST_CB(name, NULL, CFGF_NODEFAULT, word_read, free)

static cfg_t *schema_new(void)
{
	cfg_opt_t wan[] = { WORDS("interfaces"), WORD("mss"), CFG_END() };
	cfg_opt_t lan[] = { WORDS("interfaces"), WORD("masquerade6"), CFG_END() };
	cfg_opt_t firewall[] = { WORD("input"), WORDS("open"), CFG_END() };
	cfg_opt_t ports[] = { WORDS("pool"), WORDS("reserved"), CFG_END() };
	cfg_opt_t outbound[] = { WORD("symmetry"), WORDS("untranslated"), CFG_END() };
	cfg_opt_t snat[] = { WORD("source"), WORD("to"), WORD("one-to-one"), CFG_END() };
	cfg_opt_t upstream[] = {
		WORD("enable"),	  WORD("policy"), WORDS("protocols"),
		WORD("lifetime"), WORD("check"),  WORD("other-port"),
		WORD("url"),	  WORD("stun"),	  CFG_END(),
	};
	cfg_opt_t grant[] = { WORDS("map"),  WORDS("internal"), WORD("privileged"),
			      WORD("quota"), WORD("max-lease"), CFG_END() };
	cfg_opt_t access[] = {
		WORD("look"),
		CFG_SEC("group", grant, CFGF_MULTI | CFGF_TITLE | CFGF_NODEFAULT),
		CFG_SEC("user", grant, CFGF_MULTI | CFGF_TITLE | CFGF_NODEFAULT),
		CFG_END(),
	};
	cfg_opt_t forward[] = {
		WORD("protocol"), WORD("port"),	   WORD("to"),	    WORD("at"),
		WORDS("from"),	  WORD("enabled"), WORD("comment"), WORD("force"),
		WORD("upstream"), CFG_END(),
	};
	cfg_opt_t top[] = {
		WORD("user"),
		WORD("group"),
		WORD("table-protection"),
		WORD("accounting"),
		CFG_SEC("wan", wan, CFGF_MULTI | CFGF_NODEFAULT),
		CFG_SEC("lan", lan, CFGF_MULTI | CFGF_NODEFAULT),
		CFG_SEC("firewall", firewall, CFGF_MULTI | CFGF_NODEFAULT),
		CFG_SEC("ports", ports, CFGF_MULTI | CFGF_NODEFAULT),
		CFG_SEC("outbound", outbound, CFGF_MULTI | CFGF_NODEFAULT),
		CFG_SEC("snat", snat, CFGF_MULTI | CFGF_TITLE | CFGF_NODEFAULT),
		CFG_SEC("upstream", upstream, CFGF_MULTI | CFGF_NODEFAULT),
		CFG_SEC("access", access, CFGF_MULTI | CFGF_NODEFAULT),
		CFG_SEC("forward", forward, CFGF_MULTI | CFGF_TITLE | CFGF_NODEFAULT),
		CFG_END(),
	};
	cfg_t *schema = cfg_init(top, CFGF_NONE);

	if (!schema)
		return NULL;
	cfg_set_error_function(schema, on_error);
	for (const cfg_opt_t *option = top; option->name; option++) {
		if (option->type == CFGT_SEC)
			cfg_set_validate_func(schema, option->name, block_closed);
	}
	cfg_set_validate_func(schema, "access|group", block_closed);
	cfg_set_validate_func(schema, "access|user", block_closed);
	return schema;
}

static int parse_stream(struct config_reader *reader, cfg_t *schema)
{
	struct config_block top = { .reader = reader, .section = schema };
	FILE *stream = fmemopen(reader->text->bytes, reader->text->len, "r");
	int r;

	if (!stream)
		return -ENOMEM;
	r = cfg_parse_fp(schema, stream);
	fclose(stream);
	if (reader->error)
		return reader->error;
	if (r != CFG_SUCCESS) /* it says nothing of an empty word and of full memory */
		return config_flaw(reader, (unsigned int)schema->line,
				   "not understood: an empty word?");
	return config_take_top(&top);
}

int config_parse(struct config_reader *reader)
{
	cfg_t *schema;
	int r;

	schema = schema_new();
	if (!schema)
		return -ENOMEM;
	reading = reader;
	r = parse_stream(reader, schema);
	reading = NULL;
	cfg_free(schema);
	return r;
}
