/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * cleanup - a local that lets go of what it holds when it leaves scope
 *
 *	DEFINE_CLEANUP(plan_free, struct plan *)	beside the destructor
 *	CLEANUP(plan_free) struct plan *plan = NULL;	in a function
 *	return TAKE(plan);				hands it on instead
 */

/* clang-format off */
#define DEFINE_CLEANUP(destroy, type)				\
	static inline void destroy##_on_exit(type *held)	\
	{							\
		if (*held)					\
			destroy(*held);				\
	}
/* clang-format on */

#define CLEANUP(destroy) __attribute__((cleanup(destroy##_on_exit)))

#define TAKE(held)                                                                       \
	({                                                                               \
		__typeof__(held) taken_away = (held);                                    \
		(held) = NULL;                                                           \
		taken_away;                                                              \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
