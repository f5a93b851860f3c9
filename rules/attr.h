/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * attr - the value of an attribute that may be too short for it
 *
 * libmnl's getters do not look at the length. What does not hold its value is 0, or "".
 */

#include <libmnl/libmnl.h>

static inline const char *attr_text(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ? ""
								: mnl_attr_get_str(attr);
}

static inline uint8_t attr_u8(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U8) < 0 ? 0 : mnl_attr_get_u8(attr);
}

static inline uint16_t attr_u16(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U16) < 0 ? 0 : mnl_attr_get_u16(attr);
}

static inline uint32_t attr_u32(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attr);
}

static inline uint64_t attr_u64(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U64) < 0 ? 0 : mnl_attr_get_u64(attr);
}
