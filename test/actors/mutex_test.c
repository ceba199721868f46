/*
 * mutex_test.c - mutexes that an actor is seen to hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/watched_log.h"

#include "runtime/memory.h"

#include <coact/mutex.h>
#include <coact/no_switch.h>
#include <pthread.h>

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t two = PTHREAD_MUTEX_INITIALIZER;

static bool
is_free(pthread_mutex_t *mutex)
{
    if (pthread_mutex_trylock(mutex) != 0) {
        return false;
    }
    pthread_mutex_unlock(mutex);
    return true;
}

/* ---- The two places ------------------------------------------------------ */

/* Says in *arg where it takes its last lock. */
static void
sleeps_with_two(peer_self self, void *arg)
{
    (void)self;
    coact_mutex_lock(&one);
    *(int *)arg = __LINE__ + 1;
    coact_mutex_lock(&two);
    coact_sleep(coact_in_ms(1));
    coact_mutex_unlock(&two);
    coact_mutex_unlock(&one);
}

static void
assert_names_both_places(const char *text, int line)
{
    char place[80];
    snprintf(place, sizeof(place), "mutex_test.c:%d", line);
    ASSERT_SAYS(text, "misuse of sleep by culprit: ");
    ASSERT_SAYS(text, "with 2 mutexes held, locked last at ");
    ASSERT_SAYS(text, place);
}

START_TEST(s55_a_wait_with_a_mutex_held_aborts_and_names_both_places)
{
    char words[1024];
    int line = abort_at_a_line(sleeps_with_two, words, sizeof(words));
    assert_names_both_places(words, line);
}
END_TEST

START_TEST(a_wait_with_a_mutex_held_is_counted_and_goes_on)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    int line = misuse_at_a_line(sleeps_with_two, &seen);
    assert_names_both_places(seen.last, line);
    ck_assert(is_free(&one) && is_free(&two));
}
END_TEST

static void
yields_with_both(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_mutex_lock(&one);
    COACT_NO_SWITCH
    {
        coact_yield();
    }
    coact_mutex_unlock(&one);
}

START_TEST(a_region_and_a_mutex_are_named_together)
{
    char words[1024];
    ASSERT_ABORTS(yields_with_both, NULL, words);
    ASSERT_SAYS(words, "misuse of yield by culprit: ");
    ASSERT_SAYS(words, "(yields_with_both) with 1 mutex held, locked last at ");
}
END_TEST

/* ---- Which one is the latest --------------------------------------------- */

static void
unlocks_out_of_order(peer_self self, void *arg)
{
    struct log_seen *seen = arg;
    char place[40];
    int first = __LINE__ + 1;
    coact_mutex_lock(&one);
    coact_mutex_lock(&two);
    coact_mutex_unlock(&two);
    coact_yield();
    snprintf(place, sizeof(place), "mutex_test.c:%d", first);
    ASSERT_SAYS(seen->last, "with 1 mutex held");
    ASSERT_SAYS(seen->last, place);
    int second = __LINE__ + 1;
    coact_mutex_lock(&two);
    coact_mutex_unlock(&one);
    coact_yield();
    snprintf(place, sizeof(place), "mutex_test.c:%d", second);
    ASSERT_SAYS(seen->last, place);
    coact_mutex_unlock(&two);
    coact_yield();
    ck_assert_uint_eq(misuses_now(), 2);
    (void)self;
}

START_TEST(mutexes_may_be_unlocked_in_any_order)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(unlocks_out_of_order, &seen, &seen), 2);
}
END_TEST

#define MANY 20

static void
locks_many(peer_self self, void *arg)
{
    pthread_mutex_t mutexes[MANY];
    (void)self;
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(pthread_mutex_init(&mutexes[i], NULL), 0);
        ck_assert_int_eq(coact_mutex_lock(&mutexes[i]), 0);
    }
    coact_yield();
    ASSERT_SAYS(((struct log_seen *)arg)->last, "with 20 mutexes held");
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(coact_mutex_unlock(&mutexes[i]), 0);
        ck_assert(is_free(&mutexes[i]));
        pthread_mutex_destroy(&mutexes[i]);
    }
    coact_yield();
    ck_assert_uint_eq(misuses_now(), 1);
}

START_TEST(more_mutexes_than_places_are_counted_all_the_same)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(locks_many, &seen, &seen), 1);
}
END_TEST

/* The nth allocation of a first lock fails; the last that is tried does not. */
static void
locks_without_memory(peer_self self, void *arg)
{
    const char *last = ((struct log_seen *)arg)->last;
    unsigned long fails = 0;
    (void)self;
    for (unsigned long n = 1; n == fails + 1; n++) {
        coact__fail_nth(n, false);
        int rc = coact_mutex_lock(&one);
        fails += coact__fail_count() >= n;
        coact__fail_nth(0, false);
        ck_assert_int_eq(rc, 0);
        ck_assert(!is_free(&one));
        coact_yield();
        ASSERT_SAYS(last, "with 1 mutex held, locked last at ");
        ASSERT_SAYS(last, fails == n ? "a place not noted" : "mutex_test.c:");
        ck_assert_int_eq(coact_mutex_unlock(&one), 0);
        ck_assert(is_free(&one));
        ck_assert_uint_eq(misuses_now(), n);
    }
    ck_assert_int_eq(coact_yield(), 0);
    ck_assert_uint_eq(misuses_now(), fails + 1);
    ck_assert_uint_ge(fails, 1);
}

START_TEST(a_lock_needs_no_memory_to_be_counted)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    ck_assert_uint_ge(misuses_of(locks_without_memory, &seen, &seen), 2);
}
END_TEST

/* ---- Mistakes with a mutex ----------------------------------------------- */

static void
locks_twice(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(coact_mutex_lock(&one), 0);
    ck_assert_int_eq(coact_mutex_trylock(&one), -EBUSY);
    ck_assert_uint_eq(misuses_now(), 0);
    ck_assert_int_eq(coact_mutex_lock(&one), -EDEADLK);
    ck_assert_int_eq(coact_mutex_unlock(&one), 0);
    ck_assert(is_free(&one));
}

START_TEST(a_second_lock_of_the_same_actor_is_refused)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(locks_twice, NULL, &seen), 1);
    ASSERT_SAYS(seen.last, "it holds that mutex since ");
}
END_TEST

static void
locks_recursively(peer_self self, void *arg)
{
    (void)self, (void)arg;
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &attributes);
    ck_assert_int_eq(coact_mutex_lock(&mutex), 0);
    ck_assert_int_eq(coact_mutex_lock(&mutex), 0);
    ck_assert_int_eq(coact_mutex_trylock(&mutex), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(coact_mutex_unlock(&mutex), 0);
    }
    ck_assert_int_eq(coact_yield(), 0);
    for (int i = 0; i < UINT16_MAX; i++) {
        ck_assert_int_eq(coact_mutex_lock(&mutex), 0);
    }
    ck_assert_int_eq(coact_mutex_lock(&mutex), -EAGAIN);
    ck_assert_int_eq(coact_mutex_trylock(&mutex), -EAGAIN);
    for (int i = 0; i < UINT16_MAX; i++) {
        ck_assert_int_eq(coact_mutex_unlock(&mutex), 0);
    }
    ck_assert_int_eq(coact_yield(), 0);
    pthread_mutex_destroy(&mutex);
    pthread_mutexattr_destroy(&attributes);
}

START_TEST(a_recursive_mutex_may_be_locked_again)
{
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(locks_recursively, NULL, &seen), 0);
}
END_TEST

static void
unlocks_what_it_has_not(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(coact_mutex_unlock(&one), -EPERM);
    ck_assert_int_eq(coact_mutex_lock(&two), 0);
    ck_assert_int_eq(coact_mutex_unlock(&one), -EPERM);
    ck_assert_int_eq(coact_mutex_unlock(&two), 0);
    ck_assert_int_eq(coact_mutex_lock(NULL), -EINVAL);
    ck_assert_int_eq(coact_mutex_trylock(NULL), -EINVAL);
    ck_assert_int_eq(coact_mutex_unlock(NULL), -EINVAL);
}

START_TEST(what_an_actor_has_not_locked_it_cannot_unlock)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    ck_assert_int_eq(pthread_mutex_lock(&one), 0);
    ck_assert_uint_eq(misuses_of(unlocks_what_it_has_not, NULL, &seen), 5);
    ck_assert(!is_free(&one));
    pthread_mutex_unlock(&one);
}
END_TEST

/* ---- The end ------------------------------------------------------------- */

static void
ends_with_one(peer_self self, void *arg)
{
    (void)self;
    *(int *)arg = __LINE__ + 1;
    ck_assert_int_eq(coact_mutex_lock(&one), 0);
}

START_TEST(an_actor_that_ends_with_a_mutex_leaves_it_locked_and_is_reported)
{
    if (COACT_ABORT_ON_MISUSE) {
        return; // in such a build a mistake ends the process
    }
    struct log_seen seen = {0};
    int line = 0;
    char place[40];
    ck_assert_uint_eq(misuses_of(ends_with_one, &line, &seen), 1);
    snprintf(place, sizeof(place), "mutex_test.c:%d", line);
    ASSERT_SAYS(seen.last, "it ends with 1 mutex held, locked last at ");
    ASSERT_SAYS(seen.last, place);
    ck_assert(!is_free(&one));
}
END_TEST

static void
unlock(void *mutex)
{
    coact_mutex_unlock(mutex);
}

static void
unlocks_in_clean_up(peer_self self, void *arg)
{
    (void)self, (void)arg;
    ck_assert_int_eq(coact_mutex_lock(&one), 0);
    ck_assert_int_eq(coact_defer(unlock, &one), 0);
    coact_fail(-EIO, "while it holds it");
}

START_TEST(a_clean_up_may_unlock_what_the_body_has_locked)
{
    struct log_seen seen = {0};
    ck_assert_uint_eq(misuses_of(unlocks_in_clean_up, NULL, &seen), 0);
    ck_assert(is_free(&one));
}
END_TEST

/* ---- Other threads ------------------------------------------------------- */

struct shared {
    pthread_mutex_t mutex;
    uint64_t sum;
};

#define ROUNDS 2000

static void *
adds_as_a_thread(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < ROUNDS; i++) {
        coact_mutex_lock(&shared->mutex);
        shared->sum++;
        coact_mutex_unlock(&shared->mutex);
    }
    return NULL;
}

static void
adds_as_an_actor(peer_self self, void *arg)
{
    (void)self;
    for (int i = 0; i < ROUNDS; i++) {
        struct shared *shared = arg;
        if (i % 2 == 0 || coact_mutex_trylock(&shared->mutex) < 0) {
            ck_assert_int_eq(coact_mutex_lock(&shared->mutex), 0);
        }
        shared->sum++;
        ck_assert_int_eq(coact_mutex_unlock(&shared->mutex), 0);
        ck_assert_int_eq(coact_yield(), 0);
    }
}

START_TEST(actors_and_threads_lock_each_other_out)
{
    struct coact_runtime *runtime = start_runtime(2);
    struct shared shared = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, adds_as_a_thread, &shared),
                     0);
    peer_ref actors[4];
    for (int i = 0; i < 4; i++) {
        actors[i] = spawn_peer(adds_as_an_actor, &shared);
    }
    for (int i = 0; i < 4; i++) {
        join_peer(actors[i]);
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(shared.sum, 5 * ROUNDS);
    ck_assert_uint_eq(misuses_now(), 0);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("mutex", s55_a_wait_with_a_mutex_held_aborts_and_names_both_places,
           a_wait_with_a_mutex_held_is_counted_and_goes_on,
           a_region_and_a_mutex_are_named_together,
           mutexes_may_be_unlocked_in_any_order,
           more_mutexes_than_places_are_counted_all_the_same,
           a_lock_needs_no_memory_to_be_counted,
           a_second_lock_of_the_same_actor_is_refused,
           a_recursive_mutex_may_be_locked_again,
           what_an_actor_has_not_locked_it_cannot_unlock,
           an_actor_that_ends_with_a_mutex_leaves_it_locked_and_is_reported,
           a_clean_up_may_unlock_what_the_body_has_locked,
           actors_and_threads_lock_each_other_out)
