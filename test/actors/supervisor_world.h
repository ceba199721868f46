/*
 * supervisor_world.h - a world of one thread for tests of supervisors.
 *
 * in_world(f) runs f as an actor in a runtime that the test drives itself, on
 * the simulated clock: when nothing can run, the clock jumps to what is due
 * next, so that a test of a minute's backoff takes no time, and the order of
 * everything is the same in every run.
 *
 * Children write what happens to them into one trace: "+a" a starts, "-a" a
 * has ended and cleaned up.  SAW compares it and begins a new one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_SUPERVISOR_WORLD_H
#define COACT_TEST_SUPERVISOR_WORLD_H

#include "test/support/suite.h"

#include "runtime/oracle_sim.h"

#include <coact/actor.h>
#include <coact/runtime.h>
#include <coact/supervisor.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- The trace and the log ----------------------------------------------- */

static char world_trace[1 << 16];
static char world_log[1 << 16];

__attribute__((unused, format(printf, 1, 2))) static void
note(const char *format, ...)
{
    size_t used = strlen(world_trace);
    va_list args;
    va_start(args, format);
    if (used > 0 && used + 1 < sizeof(world_trace)) {
        world_trace[used++] = ' ';
    }
    vsnprintf(world_trace + used, sizeof(world_trace) - used, format, args);
    va_end(args);
}

#define SAW(expected)                                                          \
    do {                                                                       \
        ck_assert_str_eq(world_trace, expected);                               \
        world_trace[0] = '\0';                                                 \
    } while (0)

static void
world_sink(void *context, enum coact_log_level level, const char *text)
{
    (void)context;
    size_t used = strlen(world_log);
    snprintf(world_log + used, sizeof(world_log) - used, "%s: %s\n",
             coact_log_level_name(level), text);
}

#define LOGGED(text)                                                           \
    ck_assert_msg(strstr(world_log, text) != NULL,                             \
                  "not in the log: %s\n%.2000s", text, world_log)
#define NOT_LOGGED(text)                                                       \
    ck_assert_msg(strstr(world_log, text) == NULL, "in the log: %s", text)

/* ---- Children ------------------------------------------------------------ */

struct blow {
    int32_t code; /* 0: return from the body */
};
COACT_MESSAGE(blow, (1, code));
COACT_MAILBOX(toy, blow);

static void
toy_has_ended(void *name)
{
    note("-%s", (const char *)name);
}

/* Lives until it is blown.  Its argument is its name in the trace.  It says when
   it has started, so that the next one starts only then. */
__attribute__((unused)) static void
toy_run(toy_self self, void *name)
{
    note("+%s", (const char *)name);
    COACT_CHECK(coact_defer(toy_has_ended, name) == 0);
    COACT_CHECK(coact_started() == 0);
    for (;;) {
        bool is_over = false;
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(blow, m): {
            if (m->code == COACT_SHUTDOWN) {
                coact_exit(COACT_SHUTDOWN);
            }
            if (m->code != 0) {
                coact_fail(m->code, "blown");
            }
            is_over = true;
        } break;
        }
        if (is_over) {
            return;
        }
    }
}

#define TOY(name) TOY_WITH(name, .restart = COACT_PERMANENT)
#define TOY_WITH(name, ...)                                                    \
    COACT_CHILD(toy, name, toy_run, (void *)(uintptr_t)(name),                 \
                .shutdown_ns = COACT_MS(100), .wait_init = true, __VA_ARGS__)

/* Its address, waiting for it where it is about to be restarted. */
__attribute__((unused)) static toy_ref
toy_of(coact_supervisor_ref top, const char *id)
{
    toy_ref toy = {.ref = {0}};
    int rc = coact_child_find(top, toy, id, &toy, coact_in_ms(60000));
    ck_assert_msg(rc == 0, "find %s: %s", id, coact_strerror(rc));
    return toy;
}

/* Time for everything that can happen now. */
__attribute__((unused)) static void
settle(void)
{
    ck_assert_int_eq(coact_sleep(coact_in_ns(1000)), 0);
}

/* End a child by itself, and let happen what follows at once. */
__attribute__((unused)) static void
blow_up(coact_supervisor_ref top, const char *id, int code)
{
    ck_assert_int_eq(coact_send(toy_of(top, id), blow, .code = code), 0);
    settle();
}

__attribute__((unused)) static coact_supervisor_ref
supervise(const struct coact_supervisor *spec)
{
    coact_supervisor_ref top = {.ref = {0}};
    struct coact_reason why = {.code = 0};
    int rc = coact_supervise(spec, coact_in_ms(60000), &top, &why);
    ck_assert_msg(rc == 0, "supervise: %s: %s", coact_strerror(rc), why.text);
    settle();
    return top;
}

__attribute__((unused)) static void
stop(coact_supervisor_ref top)
{
    struct coact_reason why = {.code = 0};
    int rc = coact_supervisor_stop(top, coact_in_ms(60000), &why);
    ck_assert_msg(rc == 0, "stop: %s: %s", coact_strerror(rc), why.text);
}

__attribute__((unused)) static struct coact_supervisor_info
look(coact_supervisor_ref top)
{
    struct coact_supervisor_info info;
    ck_assert_int_eq(coact_supervisor_look(top, coact_in_ms(1000), &info), 0);
    return info;
}

/* ---- The world ----------------------------------------------------------- */

COACT_SIGNAL(world_nudge);
COACT_MAILBOX(world, world_nudge);

struct world_play {
    void (*fn)(world_self self);
    bool is_over;
};

static void
world_run(world_self self, void *arg)
{
    struct world_play *play = arg;
    play->fn(self);
    play->is_over = true;
}

__attribute__((unused)) static void
in_world_seeded(void (*fn)(world_self self), uint64_t seed)
{
    struct coact_runtime *runtime = NULL;
    struct coact_runtime_options options = {
        .host_driven = true,
        .log = world_sink,
        .log_level = COACT_LOG_DEBUG,
    };
    struct world_play play = {.fn = fn};
    world_ref player;
    coact__sim_seed(seed);
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    ck_assert_int_eq(coact_spawn(world, &player, world_run, &play), 0);
    coact_pump(runtime, COACT_FOREVER);
    while (!play.is_over) {
        int64_t next_ns = coact_next_deadline(runtime);
        ck_assert_msg(next_ns != COACT_FOREVER, "nothing will ever happen");
        coact__sim_advance_to(next_ns);
        coact_pump(runtime, COACT_FOREVER);
    }
    coact_detach();
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(1000)), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
    ck_assert_uint_eq(stats.actors_alive, 0);
}

__attribute__((unused)) static void
in_world(void (*fn)(world_self self))
{
    in_world_seeded(fn, 1);
}

#endif
