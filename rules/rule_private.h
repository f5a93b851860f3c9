/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rule_private - what the files that build rules share
 */

#include "rules/rule.h"

struct nftnl_expr;

/** rule_add() - append an expression. Never NULL for a rule that is still good; after an
 * error all that follows is idle. */
struct nftnl_expr *rule_add(struct rule *r, const char *name);

/** rule_reg() - the kernel's numbers: 16-byte registers for what starts on their border
 */
uint32_t rule_reg(unsigned reg);

void rule_set_bytes(struct rule *r, struct nftnl_expr *e, uint16_t attr,
		    const void *bytes, uint32_t len);
void rule_set_name(struct rule *r, struct nftnl_expr *e, uint16_t attr, const char *name);

/** rule_lookup() - of REG0 in a set */
struct nftnl_expr *rule_lookup(struct rule *r, const char *set, uint32_t id);
