/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/common/lease_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_known(const uint8_t boot[static 16])
{
	static const uint8_t unknown[16];

	return memcmp(boot, unknown, sizeof(unknown)) != 0;
}

/* What went by since @anchor, which was written in an earlier boot. */
static uint64_t elapsed(const struct lease_anchor *anchor, uint64_t boottime,
			uint64_t wall)
{
	uint64_t by_wall = wall > anchor->wall ? wall - anchor->wall : 0;

	/* a boot id that /proc did not tell may be the same again */
	if (!is_known(anchor->boot))
		return by_wall;
	return by_wall > boottime ? by_wall : boottime;
}

void lease_clock_go_on(struct lease_clock *clock, const struct lease_anchor *anchor,
		       const uint8_t boot[static 16], uint64_t boottime, uint64_t wall)
{
	uint64_t lease;

	memcpy(clock->boot, boot, sizeof(clock->boot));
	if (anchor->lease && is_known(boot) &&
	    !memcmp(boot, anchor->boot, sizeof(anchor->boot))) {
		clock->offset = anchor->offset;
		return;
	}
	/* as the wall clock: should the anchor be lost, leases are about right again */
	lease = anchor->lease ? anchor->lease + elapsed(anchor, boottime, wall) : wall;
	clock->offset = (int64_t)(lease - boottime);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 36 characters: 32 digits, and '-' between groups of them. */
static int parse_boot(const char *text, uint8_t ret[static 16])
{
	uint8_t boot[16] = { 0 };
	size_t n = 0;

	for (; *text && *text != '\n'; text++) {
		int d = digit(*text);

		if (*text == '-')
			continue;
		if (d < 0 || n == 2 * sizeof(boot))
			return -EINVAL;
		boot[n / 2] = (uint8_t)(boot[n / 2] << 4 | d);
		n++;
	}
	if (n != 2 * sizeof(boot))
		return -EINVAL;
	memcpy(ret, boot, sizeof(boot));
	return 0;
}

static int read_boot(uint8_t ret[static 16])
{
	char text[64];
	ssize_t n;
	int fd;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return parse_boot(text, ret);
}

int lease_clock_begin(struct lease_clock *clock, const struct lease_anchor *anchor)
{
	uint8_t boot[16] = { 0 };
	int r = read_boot(boot);

	lease_clock_go_on(clock, anchor, boot, read_clock(CLOCK_BOOTTIME),
			  read_clock(CLOCK_REALTIME));
	return r;
}

uint64_t lease_clock_now(const struct lease_clock *clock)
{
	int64_t now = (int64_t)read_clock(CLOCK_BOOTTIME) + clock->offset;

	return now > 0 ? (uint64_t)now : 1;
}

void lease_clock_anchor(const struct lease_clock *clock, struct lease_anchor *ret)
{
	memcpy(ret->boot, clock->boot, sizeof(ret->boot));
	ret->offset = clock->offset;
	ret->lease = lease_clock_now(clock);
	ret->wall = read_clock(CLOCK_REALTIME);
}

uint64_t lease_clock_boottime(const struct lease_clock *clock, uint64_t lease)
{
	int64_t boottime = (int64_t)lease - clock->offset;

	return boottime > 0 ? (uint64_t)boottime * 1000 : 0;
}

/* ------------------------------------------------------------ when it is set */

/* an hour that never comes: only being set ends the wait */
#define NEVER ((time_t)1 << 40)

struct watch {
	lease_clock_on_set on_set;
	void *userdata;
	int fd;
};

static void watch_free(void *userdata)
{
	struct watch *watch = userdata;

	close(watch->fd);
	free(watch);
}

static int arm(int fd)
{
	const struct itimerspec never = { .it_value.tv_sec = NEVER };
	int r;

	r = timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
			    NULL);
	/* ECANCELED: set since the last look, and armed all the same */
	return r < 0 && errno != ECANCELED ? -errno : 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct watch *watch = userdata;
	uint64_t ticks;

	/* fails with ECANCELED: that it did is all there is to know */
	if (read(fd, &ticks, sizeof(ticks)) < 0 && errno == EAGAIN)
		return 0;
	arm(fd);
	watch->on_set(watch->userdata);
	return 0;
}

int lease_clock_watch(sd_event *event, lease_clock_on_set on_set, void *userdata,
		      sd_event_source **ret)
{
	sd_event_source *source = NULL;
	struct watch *watch;
	int r;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ .on_set = on_set, .userdata = userdata };
	watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (watch->fd < 0) {
		r = -errno;
		free(watch);
		return r;
	}
	r = arm(watch->fd);
	if (r == 0)
		r = sd_event_add_io(event, &source, watch->fd, EPOLLIN, on_readable,
				    watch);
	if (r < 0) {
		watch_free(watch);
		return r;
	}
	sd_event_source_set_destroy_callback(source, watch_free);
	*ret = source;
	return 0;
}
