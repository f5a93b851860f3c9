/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_config - natd.conf
 *
 * A file is taken or refused with a line that it has. What was taken is written anew from
 * what was understood of it, and read again means the same. And no file leaves anything
 * behind in libconfuse, whose lexer is a global, that would alter the next.
 */

#include <errno.h>
#include <string.h>

#include "natd/config.h"
#include "tests/fuzz/fuzz.h"

#define NAME "natd.conf"

static const char plain[] = "wan { interfaces = {wan0} }\n";

static unsigned long lines_of(const uint8_t *bytes, size_t len)
{
	unsigned long n = 1;

	for (size_t i = 0; i + 1 < len; i++)
		n += bytes[i] == '\n';
	return n;
}

static void check_flaw(const struct config_flaw *why, const uint8_t *bytes, size_t len)
{
	unsigned long line;
	char *end;

	hold(memchr(why->text, '\0', sizeof(why->text)));
	hold(strncmp(why->text, NAME ":", sizeof(NAME)) == 0);
	line = strtoul(why->text + sizeof(NAME), &end, 10);
	hold(end[0] == ':' && end[1] == ' ' && end[2]);
	hold(line >= 1 && line <= lines_of(bytes, len));
}

/* ------------------------------------------------------------ written anew */

/* Every byte as \xNN: so nothing in it can mean anything. */
static void put_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fprintf(out, "\\x%02x", (unsigned char)*text);
	fputc('"', out);
}

static void put_names(FILE *out, const char (*names)[IFNAMSIZ], size_t n)
{
	fputs("interfaces = {", out);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", " : "", out);
		put_text(out, names[i]);
	}
	fputs("}\n", out);
}

static void put_wan(FILE *out, const struct config *c)
{
	fputs("wan {\n", out);
	put_names(out, c->options.wan, c->options.n_wan);
	if (c->mss_setting == MSS_SETTING_FIXED)
		fprintf(out, "mss = %u\n", c->options.mss);
	else
		fprintf(out, "mss = %s\n",
			c->mss_setting == MSS_SETTING_OFF ? "off" : "auto");
	fputs("}\n", out);
}

static void put_lan(FILE *out, const struct config *c)
{
	static const char *const words[] = { "auto", "yes", "no" };

	fputs("lan {\n", out);
	if (c->options.n_lan)
		put_names(out, c->options.lan, c->options.n_lan);
	fprintf(out, "masquerade6 = %s\n}\n", words[c->masquerade6]);
}

static void put_firewall(FILE *out, const struct config *c)
{
	fprintf(out, "firewall {\ninput = %s\n",
		c->options.input_drop ? "drop" : "accept");
	if (c->options.n_open)
		fputs("open = {", out);
	for (size_t i = 0; i < c->options.n_open; i++)
		fprintf(out, "%s\"%s %u\"", i ? ", " : "",
			protocol_name(c->options.open[i].protocol),
			c->options.open[i].port);
	fputs(c->options.n_open ? "}\n}\n" : "}\n", out);
}

static void put_forward(FILE *out, const struct change *change)
{
	static const char *const words[] = { "none", "tcp", "udp", "\"tcp,udp\"" };
	const struct mapping *m = &change->mapping;
	char to[ENDPOINT_STRLEN];

	fprintf(out, "forward %s {\nprotocol = %s\nport = %u\nto = \"%s\"\n}\n", m->name,
		words[change->protocols], m->external.port,
		endpoint_format(&m->internal, to));
}

static char *written(const struct config *c, size_t *ret_len)
{
	static const char *const words[] = { "auto", "owned", "watched" };
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	hold(out);
	fputs("user = ", out);
	put_text(out, c->user);
	fputs("\ngroup = ", out);
	put_text(out, c->group);
	fprintf(out, "\ntable-protection = %s\n", words[c->options.protection]);
	put_wan(out, c);
	put_lan(out, c);
	put_firewall(out, c);
	for (size_t i = 0; i < c->n_forwards; i++)
		put_forward(out, &c->forwards[i].change);
	fclose(out);
	return text;
}

/* ------------------------------------------------------------ what was taken */

static void check_taken(const struct config *c, const uint8_t *bytes, size_t len)
{
	const struct ruleset_options *o = &c->options;

	hold(o->n_wan >= 1 && o->n_wan <= RULESET_WANS_MAX);
	hold(o->n_lan <= RULESET_LANS_MAX && o->n_open <= RULESET_OPEN_MAX);
	hold(c->user[0] && c->group[0]);
	for (size_t i = 0; i < c->n_forwards; i++) {
		const struct change *change = &c->forwards[i].change;
		const struct mapping *m = &change->mapping;

		hold(change->kind == CHANGE_ADD && change->protocols);
		hold(m->origin == ORIGIN_CONFIG && m->enabled);
		hold(!mapping_name_flaw(m->name));
		hold(!address_unusable(&m->internal.addr));
		hold(m->internal.port && m->external.port);
		hold(c->forwards[i].line >= 1);
		hold(c->forwards[i].line <= lines_of(bytes, len));
	}
}

static void hold_same(const struct config *a, const struct config *b)
{
	hold(strcmp(a->user, b->user) == 0 && strcmp(a->group, b->group) == 0);
	hold(memcmp(&a->options, &b->options, sizeof(a->options)) == 0);
	hold(a->mss_setting == b->mss_setting && a->masquerade6 == b->masquerade6);
	hold(a->n_forwards == b->n_forwards);
	for (size_t i = 0; i < a->n_forwards; i++) {
		const struct change *x = &a->forwards[i].change;
		const struct change *y = &b->forwards[i].change;

		hold(x->protocols == y->protocols);
		hold(strcmp(x->mapping.name, y->mapping.name) == 0);
		hold(endpoint_equal(&x->mapping.internal, &y->mapping.internal));
		hold(endpoint_equal(&x->mapping.external, &y->mapping.external));
	}
}

static void check_again(const struct config *c)
{
	struct config_flaw why;
	struct config *again;
	size_t len;
	char *text = written(c, &len);
	int r = config_load_buffer(NAME, text, len, &again, &why);

	if (r < 0)
		dprintf(2, "%s\n%s", why.text, text);
	hold(r == 0);
	hold_same(c, again);
	config_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct config_flaw why;
	int r = config_load_buffer(NAME, data, size, &config, &why);

	hold(r == 0 || r == -EINVAL);
	if (r == 0) {
		check_taken(config, data, size);
		check_again(config);
		config_free(config);
	} else {
		hold(!config);
		check_flaw(&why, data, size);
	}
	hold(config_load_buffer(NAME, plain, strlen(plain), &config, &why) == 0);
	config_free(config);
	return 0;
}
