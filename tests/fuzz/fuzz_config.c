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

#include "core/url.h"
#include "natd/config/config.h"
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

static const char *word_of(bool yes)
{
	return yes ? "yes" : "no";
}

static void put_ranges(FILE *out, const char *what, const struct port_range *ranges,
		       size_t n)
{
	if (n)
		fprintf(out, "%s = {", what);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\"%u-%u\"", i ? ", " : "", ranges[i].first,
			ranges[i].last);
	fputs(n ? "}\n" : "", out);
}

static void put_prefixes(FILE *out, const char *what, const struct prefix *prefixes,
			 size_t n)
{
	char text[PREFIX_STRLEN];

	if (n)
		fprintf(out, "%s = {", what);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "",
			prefix_format(&prefixes[i], text));
	fputs(n ? "}\n" : "", out);
}

static void put_outbound(FILE *out, const struct config *c)
{
	static const char *const words[] = { "none", "udp", "all" };
	char source[PREFIX_STRLEN], to[INET6_ADDRSTRLEN];

	fputs("ports {\n", out);
	put_ranges(out, "pool", c->pool, c->n_pool);
	put_ranges(out, "reserved", c->reserved, c->n_reserved);
	fprintf(out, "}\noutbound {\nsymmetry = %s\n", words[c->options.symmetry]);
	put_prefixes(out, "untranslated", c->untranslated, c->n_untranslated);
	fputs("}\n", out);
	for (size_t i = 0; i < c->n_snat; i++)
		fprintf(out,
			"snat s {\nsource = \"%s\"\nto = \"%s\"\none-to-one = %s\n}\n",
			prefix_format(&c->snat[i].source, source),
			address_format(&c->snat[i].to, to),
			word_of(c->snat[i].one_to_one));
}

static void put_upstream(FILE *out, const struct upstream_options *o)
{
	static const char *const policies[] = { "all", "chosen", "none" };
	char stun[ENDPOINT_STRLEN];

	fprintf(out, "upstream {\nenable = %s\npolicy = %s\nprotocols = {",
		word_of(o->enable), policies[o->policy]);
	for (uint8_t i = 0; i < o->n_order; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "",
			upstream_speech_name((enum upstream_speech)o->order[i]));
	fprintf(out, "}\nlifetime = %u\ncheck = %u\nother-port = %s\n", o->lifetime,
		o->check / 1000, word_of(o->other_port));
	if (o->url[0]) {
		fputs("url = ", out);
		put_text(out, o->url);
	}
	if (o->stun_name[0])
		fprintf(out, "\nstun = \"%s:%u\"", o->stun_name, o->stun.port);
	else if (o->stun.port)
		fprintf(out, "\nstun = \"%s\"", endpoint_format(&o->stun, stun));
	fputs("\n}\n", out);
}

static void put_grant(FILE *out, const struct grant *grant)
{
	put_ranges(out, "map", grant->map, grant->n_map);
	put_prefixes(out, "internal", grant->internal, grant->n_internal);
	fprintf(out, "privileged = %s\n", word_of(grant->privileged));
	if (grant->quota != GRANT_UNLIMITED)
		fprintf(out, "quota = %u\n", grant->quota);
	if (grant->max_lifetime != GRANT_UNLIMITED)
		fprintf(out, "max-lease = %us\n", grant->max_lifetime);
}

static void put_access(FILE *out, const struct access *access)
{
	if (!access->given)
		return;
	fprintf(out, "access {\nlook = %s\n", word_of(access->look));
	for (size_t i = 0; i < access->n; i++) {
		fprintf(out, "%s %u {\n", access->rules[i].is_group ? "group" : "user",
			access->rules[i].id);
		put_grant(out, &access->rules[i].grant);
		fputs("}\n", out);
	}
	fputs("}\n", out);
}

static bool has_address(const struct mapping *m)
{
	return !mapping_is_pinhole(m) &&
	       !address_equal(&m->external.addr, &address_any4) &&
	       !address_is_any(&m->external.addr);
}

static void put_forward(FILE *out, const struct change *change)
{
	const struct mapping *m = &change->mapping;
	char to[MAPPING_ENDPOINT_STRLEN], at[INET6_ADDRSTRLEN], words[PROTOCOLS_STRLEN];
	const struct prefix *remotes;
	size_t n;

	fprintf(out, "forward %s {\nprotocol = \"%s\"\nport = \"%u-%u\"\nto = ", m->name,
		protocols_format(change->protocols, words), m->external.port,
		mapping_last_port(m));
	put_text(out, mapping_format_internal(m, to));
	if (has_address(m))
		fprintf(out, "\nat = \"%s\"", address_format(&m->external.addr, at));
	fputs("\ncomment = ", out);
	put_text(out, mapping_comment(m));
	fprintf(out, "\nenabled = %s\nforce = %s\nupstream = %s\n", word_of(m->enabled),
		word_of(change->force),
		upstream_wish_name((enum upstream_wish)m->upstream));
	remotes = mapping_remotes(m, &n);
	put_prefixes(out, "from", remotes, n);
	fputs("}\n", out);
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
	fprintf(out, "\ntable-protection = %s\naccounting = %s\n",
		words[c->options.protection], word_of(c->accounting));
	put_wan(out, c);
	put_lan(out, c);
	put_firewall(out, c);
	put_outbound(out, c);
	put_upstream(out, &c->upstream);
	put_access(out, &c->access);
	for (size_t i = 0; i < c->n_forwards; i++)
		put_forward(out, &c->forwards[i].change);
	fclose(out);
	return text;
}

/* ------------------------------------------------------------ what was taken */

static void check_upstream(const struct upstream_options *o)
{
	struct url url;

	hold(o->n_order >= 1 && o->n_order <= UPSTREAM_SPEECHES);
	for (uint8_t i = 0; i < o->n_order; i++)
		for (uint8_t k = 0; k < i; k++)
			hold(o->order[i] != o->order[k]);
	hold(o->lifetime >= 120 && o->lifetime <= 86400);
	hold(o->check >= 1000 && o->check <= 3600000);
	hold(!o->url[0] || url_host(o->url, &url) == 0);
	if (o->stun_name[0])
		hold(!host_name_flaw(o->stun_name) && address_is_any(&o->stun.addr) &&
		     o->stun.port);
	else
		hold(!o->stun.port || !address_unusable(&o->stun.addr));
}

static void check_taken(const struct config *c, const uint8_t *bytes, size_t len)
{
	const struct ruleset_options *o = &c->options;

	hold(o->n_wan >= 1 && o->n_wan <= RULESET_WANS_MAX);
	hold(o->n_lan <= RULESET_LANS_MAX && o->n_open <= RULESET_OPEN_MAX);
	hold(c->user[0] && c->group[0]);
	check_upstream(&c->upstream);
	hold(o->asks_routers == c->upstream.enable);
	for (size_t i = 0; i < c->n_forwards; i++) {
		const struct change *change = &c->forwards[i].change;
		const struct mapping *m = &change->mapping;

		hold(change->kind == CHANGE_ADD && change->protocols);
		hold(m->origin == ORIGIN_CONFIG && !mapping_flaw(m));
		hold(!mapping_name_flaw(m->name));
		hold(m->suffix || !address_unusable(&m->internal.addr));
		hold(m->internal.port && m->external.port);
		hold(!mapping_asks_upstream(m) || config_asks_upstream(c));
		hold(c->forwards[i].line >= 1);
		hold(c->forwards[i].line <= lines_of(bytes, len));
	}
}

static void hold_same_ranges(const struct port_range *a, const struct port_range *b,
			     size_t n)
{
	for (size_t i = 0; i < n; i++)
		hold(a[i].first == b[i].first && a[i].last == b[i].last);
}

static void hold_same_prefixes(const struct prefix *a, const struct prefix *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hold(prefix_equal(&a[i], &b[i]));
}

static void hold_same_outbound(const struct config *a, const struct config *b)
{
	hold(a->n_pool == b->n_pool && a->n_reserved == b->n_reserved);
	hold_same_ranges(a->pool, b->pool, a->n_pool);
	hold_same_ranges(a->reserved, b->reserved, a->n_reserved);
	hold(a->n_untranslated == b->n_untranslated && a->n_snat == b->n_snat);
	hold_same_prefixes(a->untranslated, b->untranslated, a->n_untranslated);
	for (size_t i = 0; i < a->n_snat; i++) {
		hold(prefix_equal(&a->snat[i].source, &b->snat[i].source));
		hold(address_equal(&a->snat[i].to, &b->snat[i].to));
		hold(a->snat[i].one_to_one == b->snat[i].one_to_one);
	}
}

static void hold_same_upstream(const struct upstream_options *a,
			       const struct upstream_options *b)
{
	hold(a->enable == b->enable && a->policy == b->policy);
	hold(a->n_order == b->n_order && !memcmp(a->order, b->order, a->n_order));
	hold(a->lifetime == b->lifetime && a->check == b->check);
	hold(a->other_port == b->other_port && !strcmp(a->url, b->url));
	hold(endpoint_equal(&a->stun, &b->stun) && !strcmp(a->stun_name, b->stun_name));
}

static void hold_same_access(const struct access *a, const struct access *b)
{
	hold(a->given == b->given && a->look == b->look && a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct access_rule *x = &a->rules[i], *y = &b->rules[i];

		hold(x->is_group == y->is_group && x->id == y->id);
		hold(x->grant.n_map == y->grant.n_map);
		hold_same_ranges(x->grant.map, y->grant.map, x->grant.n_map);
		hold(x->grant.n_internal == y->grant.n_internal);
		hold_same_prefixes(x->grant.internal, y->grant.internal,
				   x->grant.n_internal);
		hold(x->grant.privileged == y->grant.privileged);
		hold(x->grant.quota == y->grant.quota);
		hold(x->grant.max_lifetime == y->grant.max_lifetime);
	}
}

static void hold_same_forward(const struct change *a, const struct change *b)
{
	const struct mapping *x = &a->mapping, *y = &b->mapping;

	hold(a->protocols == b->protocols && a->force == b->force);
	hold(strcmp(x->name, y->name) == 0 && x->enabled == y->enabled);
	hold(x->upstream == y->upstream);
	hold(endpoint_equal(&x->internal, &y->internal) && x->suffix == y->suffix);
	hold(endpoint_equal(&x->external, &y->external) && x->n_ports == y->n_ports);
	hold(details_equal(x->details, y->details));
}

static void hold_same(const struct config *a, const struct config *b)
{
	hold(strcmp(a->user, b->user) == 0 && strcmp(a->group, b->group) == 0);
	hold(memcmp(&a->options, &b->options, sizeof(a->options)) == 0);
	hold(a->mss_setting == b->mss_setting && a->masquerade6 == b->masquerade6);
	hold(a->accounting == b->accounting && a->n_forwards == b->n_forwards);
	hold_same_outbound(a, b);
	hold_same_upstream(&a->upstream, &b->upstream);
	hold_same_access(&a->access, &b->access);
	for (size_t i = 0; i < a->n_forwards; i++)
		hold_same_forward(&a->forwards[i].change, &b->forwards[i].change);
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
