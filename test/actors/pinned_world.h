/*
 * pinned_world.h - pinned actors that look where they are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_PINNED_WORLD_H
#define COACT_TEST_PINNED_WORLD_H

#include "test/actors/gate.h"
#include "test/support/threads.h"

/* Where an actor is: its thread, and something of that thread's alone. */
struct place {
    pid_t tid;
    int *own;
};

/* Looked up anew each time: a compiler may keep the address of a thread-local. */
__attribute__((unused, noinline)) static struct place
place_here(void)
{
    static _Thread_local int own;
    __asm__ volatile("" : : : "memory");
    return (struct place){gettid(), &own};
}

__attribute__((unused)) static void
ck_is_here(struct place place)
{
    struct place here = place_here();
    ck_assert_int_eq(here.tid, place.tid);
    ck_assert_ptr_eq(here.own, place.own);
}

__attribute__((unused)) static struct coact_runtime_stats
stats_now(struct coact_runtime *runtime)
{
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    return stats;
}

__attribute__((unused)) static struct coact_runtime *
start_as(struct coact_runtime_options options)
{
    struct coact_runtime *runtime = NULL;
    options.log = options.log != NULL ? options.log : log_nothing;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

__attribute__((unused)) static peer_ref
spawn_pinned(void (*body)(peer_self self, void *arg), void *arg)
{
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, body, arg, .pinned = true),
                     0);
    return ref;
}

__attribute__((unused)) static uint32_t
pinned_threads_there(void)
{
    return threads_named("coact-p");
}

/* Normally; it may have before we ask. */
__attribute__((unused)) static void
ck_ends_well(peer_ref ref)
{
    struct coact_reason reason = join_peer(ref);
    ck_assert_msg(reason.code == COACT_NORMAL || reason.code == COACT_NOPROC,
                  "%s: %s", coact_reason_name(reason.code), reason.text);
}

/* ---- What they do -------------------------------------------------------- */

/* Where one was when it began, and whom it talks to. */
struct walk {
    struct place place;
    peer_ref oracle;
    int fds[2];
    uint32_t cleaned, destroyed;
};

__attribute__((unused)) static void
clean_up(void *arg)
{
    struct walk *walk = arg;
    ck_is_here(walk->place);
    ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    ck_is_here(walk->place);
    walk->cleaned++;
}

__attribute__((unused)) static void
destroy(void *arg)
{
    struct walk *walk = arg;
    if (walk->place.tid != 0) {
        ck_is_here(walk->place);
    }
    walk->destroyed++;
}

__attribute__((unused)) static void
block_at_gate(peer_self self, void *arg)
{
    (void)self, (void)arg;
    enter(0);
}

#endif
