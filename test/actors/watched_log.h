/*
 * watched_log.h - a runtime whose mistakes are counted and read, and one in a
 * child process where the first of them is the last.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_WATCHED_LOG_H
#define COACT_TEST_WATCHED_LOG_H

#include "test/actors/peers.h"
#include "test/support/death.h"

#include <signal.h>
#include <sys/mman.h>

/* The last line of the log, and how many there were. */
__attribute__((unused)) static void
keep_last(void *context, enum coact_log_level level, const char *text)
{
    struct log_seen *seen = context;
    (void)level;
    atomic_fetch_add_explicit(&seen->lines, 1, memory_order_relaxed);
    snprintf(seen->last, sizeof(seen->last), "%s", text);
}

__attribute__((unused)) static uint64_t
misuses_now(void)
{
    struct coact_runtime_stats stats;
    coact_stats(coact_runtime_here(), &stats);
    return stats.misuses;
}

/* Run body as an actor labelled "culprit"; what it does wrong is written down.
   Returns how often. */
__attribute__((unused)) static uint64_t
misuses_of(void (*body)(peer_self self, void *arg), void *arg,
           struct log_seen *seen)
{
    const struct coact_runtime_options options = {
        .workers = 1, .log = keep_last, .log_context = seen};
    struct coact_runtime *runtime;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    peer_ref culprit;
    ck_assert_int_eq(
        coact_spawn_with(peer, &culprit, body, arg, .label = "culprit"), 0);
    ck_assert_int_eq(coact_join(culprit.ref, IN_TIME, NULL), 0);
    uint64_t misuses = misuses_now();
    stop_runtime(runtime);
    return misuses;
}

struct crime {
    void (*body)(peer_self self, void *arg);
    void *arg;
};

__attribute__((unused)) static void
commit(void *arg)
{
    struct crime *crime = arg;
    const struct coact_runtime_options options = {.workers = 1,
                                                  .abort_on_misuse = true};
    struct coact_runtime *runtime;
    peer_ref culprit;
    if (coact_start(&options, &runtime) == 0 && coact_attach(runtime) == 0 &&
        coact_spawn_with(peer, &culprit, crime->body, crime->arg,
                         .label = "culprit") == 0) {
        int rc = coact_join(culprit.ref, IN_TIME, NULL);
        (void)rc;
    }
}

/* The same body aborts a process whose runtime aborts at a misuse; what it says
   on stderr is in words. */
#define ASSERT_ABORTS(body, arg, words)                                        \
    ck_assert_int_eq(death_with_words(commit, &(struct crime){(body), (arg)},  \
                                      (words), sizeof(words)),                 \
                     SIGABRT)

/* The words of a culprit that aborts at a place that it has written to *arg; the
   line of that place.  The process that dies shares its memory with us. */
__attribute__((unused)) static int
abort_at_a_line(void (*body)(peer_self self, void *arg), char *words,
                size_t bytes)
{
    int *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    struct crime crime = {body, shared};
    ck_assert_int_eq(death_with_words(commit, &crime, words, bytes), SIGABRT);
    int line = *shared;
    munmap(shared, sizeof(*shared));
    return line;
}

/* The same culprit where nothing aborts, which is counted and goes on; what the
   log says of it is in seen. */
__attribute__((unused)) static int
misuse_at_a_line(void (*body)(peer_self self, void *arg), struct log_seen *seen)
{
    int line = 0;
    ck_assert_uint_eq(misuses_of(body, &line, seen), 1);
    return line;
}

#define ASSERT_SAYS(text, part)                                                \
    ck_assert_msg(strstr((text), (part)) != NULL, "'%s' is not in: %s",        \
                  (part), (text))

#endif
