/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workers_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/common/log.h"

struct world world;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);

	ret->tv_sec += world.ahead;
	return r;
}

int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	if (world.n_rests < ARRAY_SIZE(world.rests))
		world.rests[world.n_rests++] = usec;
	return __real_sd_event_source_set_time_relative(source, 0);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return world.fail_calloc ? NULL : __real_calloc(n, size);
}

int __real_sd_event_add_io(sd_event *event, sd_event_source **ret, int fd,
			   uint32_t events, sd_event_io_handler_t handler,
			   void *userdata);
int __wrap_sd_event_add_io(sd_event *event, sd_event_source **ret, int fd,
			   uint32_t events, sd_event_io_handler_t handler,
			   void *userdata);
int __wrap_sd_event_add_io(sd_event *event, sd_event_source **ret, int fd,
			   uint32_t events, sd_event_io_handler_t handler, void *userdata)
{
	const int r = world.fail_add_io;

	world.fail_add_io = 0;
	return r ? r : __real_sd_event_add_io(event, ret, fd, events, handler, userdata);
}

int __real_sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t clock,
			     uint64_t usec, uint64_t accuracy,
			     sd_event_time_handler_t handler, void *userdata);
int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t clock,
			     uint64_t usec, uint64_t accuracy,
			     sd_event_time_handler_t handler, void *userdata);
int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t clock,
			     uint64_t usec, uint64_t accuracy,
			     sd_event_time_handler_t handler, void *userdata)
{
	return world.fail_add_time
		       ? world.fail_add_time
		       : __real_sd_event_add_time(event, ret, clock, usec, accuracy,
						  handler, userdata);
}

static void on_answer(void *userdata, enum worker_role role,
		      const struct worker_answer *answer)
{
	world.answers++;
	world.serial = answer->serial;
	world.answered_by = (pid_t)answer->epoch;
	if (world.unwanted_by_answer)
		workers_want(world.workers, role, false);
}

static void on_state(void *userdata, enum worker_role role, bool up)
{
	world.up[role] = up;
	world.ups += up;
	world.downs += !up;
}

struct workers_parts world_parts(void)
{
	return (struct workers_parts){
		.event = world.event,
		.nursery = &world.nursery,
		.answer = on_answer,
		.state = on_state,
	};
}

int world_begin(void)
{
	const struct identity id = own_identity();
	struct nursery_fault why = { "" };
	struct workers_parts borrowed;

	log_level(LOG_CRIT);
	BOX_CHECK(nursery_start(&id, &world.nursery, &why) == 0, "%s", why.text);
	BOX_CHECK(sd_event_new(&world.event) == 0);
	borrowed = world_parts();
	BOX_CHECK(workers_new(&borrowed, &world.workers) == 0);
	return 0;
}

int world_end(void)
{
	workers_free(world.workers);
	sd_event_unref(world.event);
	nursery_stop(&world.nursery);
	return 0;
}

struct worker_status status_now(enum worker_role role)
{
	struct worker_status status;

	workers_status(world.workers, role, &status);
	return status;
}

int send_job(enum worker_role role, uint64_t serial, char letter)
{
	static const struct {
		enum worker_job_kind kind;
		const char *url;
	} jobs[] = {
		[WORKER_DATAGRAM] = { JOB_LISTEN, "" },
		[WORKER_IGD] = { JOB_IGD_OPEN, "http://192.0.2.1/" },
		[WORKER_RESOLVER] = { JOB_RESOLVE, "server.example" },
	};
	struct worker_job job = {
		.serial = serial,
		.kind = jobs[role].kind,
		.ifindex = 1,
		.lifetime = (uint32_t)letter,
	};

	snprintf(job.url, sizeof(job.url), "%s", jobs[role].url);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &job.router);
	if (role == WORKER_RESOLVER) {
		job.ifindex = 0;
		job.router = in6addr_any;
	}
	return workers_send(world.workers, role, &job);
}
