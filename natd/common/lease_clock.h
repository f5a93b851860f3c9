/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * lease_clock - the clock by which leases end
 *
 * Milliseconds that go on over restarts, reboots and suspend, and do not jump when
 * somebody sets the time: CLOCK_BOOTTIME plus an offset. Within a boot the offset stays;
 * after a reboot it is made anew, so that the time the machine was off has passed: told
 * by the wall clock, and no time at all where that went back (but what has passed since
 * the machine came up).
 */

#include <stdint.h>
#include <systemd/sd-event.h>

/**
 * struct lease_anchor - what is kept in the store, to go on from
 * @boot:   the kernel's boot id; all zero = not known
 * @offset: of the lease clock to CLOCK_BOOTTIME in that boot, ms
 * @lease:  the lease clock when it was written; 0 = none yet
 * @wall:   CLOCK_REALTIME then, ms since 1970
 */
struct lease_anchor {
	uint8_t boot[16];
	int64_t offset;
	uint64_t lease;
	uint64_t wall;
};

struct lease_clock {
	uint8_t boot[16];
	int64_t offset;
};

/** lease_clock_begin() - go on from @anchor; without one it begins as the wall clock.
 * Return: 0; -errno when /proc does not tell the boot id (then as after a reboot each
 * time: still right to the wall clock) */
int lease_clock_begin(struct lease_clock *clock, const struct lease_anchor *anchor);
/** lease_clock_go_on() - the pure part: @boot, @boottime and @wall (ms) are those of now
 */
void lease_clock_go_on(struct lease_clock *clock, const struct lease_anchor *anchor,
		       const uint8_t boot[static 16], uint64_t boottime, uint64_t wall);
/** lease_clock_now() - never 0 */
uint64_t lease_clock_now(const struct lease_clock *clock);
/** lease_clock_anchor() - to be stored with every transaction, when natd stops, and when
 * the wall clock was set */
void lease_clock_anchor(const struct lease_clock *clock, struct lease_anchor *ret);
/** lease_clock_boottime() - when the lease clock shows @lease, in microseconds of
 * CLOCK_BOOTTIME: for a timer */
uint64_t lease_clock_boottime(const struct lease_clock *clock, uint64_t lease);

/** lease_clock_on_set - somebody set the wall clock: a new anchor is to be stored */
typedef void (*lease_clock_on_set)(void *userdata);
/** lease_clock_watch() - call @on_set whenever that happens, and after a suspend
 * @ret: to be unreferenced; that ends it
 * Return: 0, or what timerfd and sd-event say */
int lease_clock_watch(sd_event *event, lease_clock_on_set on_set, void *userdata,
		      sd_event_source **ret);
