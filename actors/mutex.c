/*
 * mutex.c - which mutexes an actor holds, and where it locked them.
 *
 * The places are noted in a piece of memory that an actor gets with its first
 * lock and keeps to its end.  A mutex that finds no place there, because there
 * is no memory or because all places are taken, is counted all the same: a wait
 * with it held is found, only the line of the lock is not known.  So a lock
 * never fails for want of memory.
 *
 * `mutexes_held` is the number of locks not undone: noted ones, which are first
 * in `places`, and the others.  A mutex that its owner may lock again is in
 * there once for each time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/mutex.h"

#include "actors/switch_check.h"
#include "runtime/memory.h"

#include <errno.h>
#include <stdio.h>

/* They count the library's own locks (held_mutex.h); these are the user's. */
#undef pthread_mutex_lock
#undef pthread_mutex_trylock
#undef pthread_mutex_unlock

#define PLACES 8

struct coact__mutexes {
    uint32_t noted;
    struct {
        pthread_mutex_t *mutex;
        const char *file;
        int line;
    } places[PLACES];
};

/* NULL: it has noted none. */
static struct coact__mutexes *
mutexes_of(const struct coact__actor *actor)
{
    return actor->extra != NULL ? actor->extra->mutexes : NULL;
}

static struct coact__mutexes *
mutexes_to_note_in(struct coact__actor *actor)
{
    struct coact__extra *extra = coact__extra_of(actor);
    if (extra != NULL && extra->mutexes == NULL) {
        extra->mutexes = coact__alloc_zeroed(sizeof(*extra->mutexes));
    }
    return mutexes_of(actor);
}

static void
note(struct coact__actor *actor, pthread_mutex_t *mutex, const char *file,
     int line)
{
    actor->mutexes_held++;
    coact__no_switch_update(actor);
    struct coact__mutexes *held = mutexes_to_note_in(actor);
    if (held != NULL && held->noted < PLACES) {
        held->places[held->noted].mutex = mutex;
        held->places[held->noted].file = file;
        held->places[held->noted].line = line;
        held->noted++;
    }
}

/* Which place notes the latest lock of a mutex; PLACES: none. */
static uint32_t
find(const struct coact__actor *actor, const pthread_mutex_t *mutex)
{
    const struct coact__mutexes *held = mutexes_of(actor);
    uint32_t i = held != NULL ? held->noted : 0;
    while (i > 0) {
        if (held->places[--i].mutex == mutex) {
            return i;
        }
    }
    return PLACES;
}

static uint32_t
not_noted(const struct coact__actor *actor)
{
    const struct coact__mutexes *held = mutexes_of(actor);
    return actor->mutexes_held - (held != NULL ? held->noted : 0);
}

static void
forget(struct coact__actor *actor, uint32_t at)
{
    actor->mutexes_held--;
    coact__no_switch_update(actor);
    struct coact__mutexes *held = mutexes_of(actor);
    if (at == PLACES) {
        return; // one that found no place
    }
    held->noted--;
    for (uint32_t i = at; i < held->noted; i++) {
        held->places[i] = held->places[i + 1];
    }
}

static int
locked(struct coact__actor *actor, int rc, pthread_mutex_t *mutex,
       const char *file, int line)
{
    if (actor != NULL && (rc == 0 || rc == EOWNERDEAD)) {
        note(actor, mutex, file, line);
    }
    return -rc;
}

static int
would_wait_for_itself(struct coact__actor *actor, uint32_t at, const char *file,
                      int line)
{
    const struct coact__mutexes *held = mutexes_of(actor);
    return coact__misuse(
        coact__runtime_of(actor), -EDEADLK, "coact_mutex_lock",
        "at %s:%d; it holds that mutex since %s:%d", coact__path_tail(file),
        line, coact__path_tail(held->places[at].file), held->places[at].line);
}

/* As a mutex that can be locked again says when it cannot count that. */
static bool
is_at_the_limit(const struct coact__actor *actor)
{
    return actor != NULL && actor->mutexes_held == UINT16_MAX;
}

int
coact__mutex_lock(pthread_mutex_t *mutex, const char *file, int line)
{
    struct coact__actor *actor = coact__actor_here();
    if (mutex == NULL) {
        return coact__misuse(coact__runtime_here(), -EINVAL, "coact_mutex_lock",
                             "the mutex is NULL");
    }
    if (is_at_the_limit(actor)) {
        return -EAGAIN;
    }
    int rc = pthread_mutex_trylock(mutex);
    if (rc == EBUSY) {
        uint32_t at = actor != NULL ? find(actor, mutex) : PLACES;
        if (at != PLACES) {
            return would_wait_for_itself(actor, at, file, line);
        }
        rc = pthread_mutex_lock(mutex);
    }
    return locked(actor, rc, mutex, file, line);
}

int
coact__mutex_trylock(pthread_mutex_t *mutex, const char *file, int line)
{
    if (mutex == NULL) {
        return coact__misuse(coact__runtime_here(), -EINVAL,
                             "coact_mutex_trylock", "the mutex is NULL");
    }
    struct coact__actor *actor = coact__actor_here();
    if (is_at_the_limit(actor)) {
        return -EAGAIN;
    }
    return locked(actor, pthread_mutex_trylock(mutex), mutex, file, line);
}

int
coact_mutex_unlock(pthread_mutex_t *mutex)
{
    struct coact__actor *actor = coact__actor_here();
    if (mutex == NULL) {
        return coact__misuse(coact__runtime_here(), -EINVAL,
                             "coact_mutex_unlock", "the mutex is NULL");
    }
    if (actor == NULL) {
        return -pthread_mutex_unlock(mutex);
    }
    uint32_t at = find(actor, mutex);
    if (at == PLACES && not_noted(actor) == 0) {
        return coact__misuse(
            coact__runtime_of(actor), -EPERM, "coact_mutex_unlock",
            "it has not locked the mutex at %p", (void *)mutex);
    }
    int rc = pthread_mutex_unlock(mutex);
    if (rc == 0) {
        forget(actor, at);
    }
    return -rc;
}

void
coact__mutexes_place(const struct coact__actor *actor, char *text, size_t bytes)
{
    const struct coact__mutexes *held = mutexes_of(actor);
    if (not_noted(actor) > 0) {
        snprintf(text, bytes, "a place not noted");
        return;
    }
    snprintf(text, bytes, "%s:%d",
             coact__path_tail(held->places[held->noted - 1].file),
             held->places[held->noted - 1].line);
}

void
coact__mutexes_end(struct coact__actor *actor)
{
    if (actor->mutexes_held > 0) {
        char place[80];
        coact__mutexes_place(actor, place, sizeof(place));
        coact__misuse(coact__runtime_of(actor), 0, "coact_mutex_lock",
                      "it ends with %u mutex%s held, locked last at %s",
                      actor->mutexes_held, actor->mutexes_held == 1 ? "" : "es",
                      place);
    }
    if (actor->extra != NULL) {
        coact__free(actor->extra->mutexes);
        actor->extra->mutexes = NULL;
    }
    actor->mutexes_held = 0;
    coact__no_switch_update(actor);
}
