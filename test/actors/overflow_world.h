/*
 * overflow_world.h - a conductor in a runtime that contains stack overflows.
 *
 * conduct_containing(body, arg) is conduct of peers.h in such a runtime, with two
 * workers; the conductor runs diggers (dig.h) one by one with end_of, which
 * tells how they ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_OVERFLOW_WORLD_H
#define COACT_TEST_OVERFLOW_WORLD_H

#include "test/actors/dig.h"
#include "test/actors/peers.h"

/* ---- A runtime that contains --------------------------------------------- */

__attribute__((unused)) static void
see(void *context, enum coact_log_level level, const char *text)
{
    struct log_seen *log = context;
    (void)level;
    atomic_fetch_add(&log->lines, 1);
    snprintf(log->last, sizeof(log->last), "%s", text);
}

__attribute__((unused)) static struct coact_runtime_options
containing(uint32_t workers)
{
    return (struct coact_runtime_options){.workers = workers,
                                          .log = log_nothing,
                                          .on_stack_overflow =
                                              COACT_OVERFLOW_KILL_ACTOR};
}

/* As conduct of peers.h, with these options; what the runtime has counted. */
__attribute__((unused)) static struct coact_runtime_stats
conduct_with(const struct coact_runtime_options *options,
             void (*body)(peer_self self, void *arg), void *arg)
{
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref conductor;
    ck_assert_int_eq(coact_spawn_with(peer, &conductor, body, arg,
                                      .label = "conductor", .trap_exit = true,
                                      .stack_bytes = 256 << 10),
                     0);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(conductor.ref, IN_TIME, &reason), 0);
    if (reason.code != COACT_NOPROC) {
        ck_assert_msg(reason.code == COACT_NORMAL, "the conductor ended: %s %s",
                      coact_reason_name(reason.code), reason.text);
    }
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    stop_runtime(runtime);
    return stats;
}

__attribute__((unused)) static struct coact_runtime_stats
conduct_containing(void (*body)(peer_self self, void *arg), void *arg)
{
    const struct coact_runtime_options options = containing(2);
    return conduct_with(&options, body, arg);
}

/* By a conductor: run an actor, and hear how it ended. */
__attribute__((unused)) static struct coact_reason
end_of(peer_self self, void (*body)(peer_self self, void *arg), void *arg,
       size_t stack_bytes)
{
    peer_ref digger;
    coact_monitor_id monitor;
    ck_assert_int_eq(
        coact_spawn_with(peer, &digger, body, arg, .label = "digger",
                         .stack_bytes = stack_bytes, .monitor = &monitor),
        0);
    struct coact_down down = expect_down(self);
    ck_assert_uint_eq(down.monitor.id, monitor.id);
    return down.reason;
}

__attribute__((unused)) static void
ck_overflow(const struct coact_reason *reason)
{
    ck_assert_msg(reason->code == COACT_STACK_OVERFLOW, "%s: %s",
                  coact_reason_name(reason->code), reason->text);
}

/* ---- What clean-ups write down ------------------------------------------- */

struct diary {
    char lines[256];
};

__attribute__((unused)) static void
enter(struct diary *diary, const char *line)
{
    strcat(diary->lines, line);
    strcat(diary->lines, " ");
}

#endif
