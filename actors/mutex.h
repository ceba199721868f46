/*
 * mutex.h - pthread mutexes that an actor is seen to hold.
 *
 * A mutex belongs to the thread that locked it.  An actor that waits while it
 * holds one lets others run on that thread, which then wait for a mutex that
 * their own thread holds; and it may come back on another thread, which must
 * not unlock it.  Actors rarely need a mutex: what they share goes by messages.
 * Where one guards what a library or a thread of the host shares with us, lock
 * it with these calls: they note how many the actor holds and where each was
 * locked, and a wait with one held is a user's mistake that names the wait and
 * the place of the lock, as in a region of <coact/no_switch.h>.
 *
 * A pinned actor keeps its thread, and so its mutexes: it may wait with one held.
 * Who wants that one meanwhile blocks.
 *
 * A lock that another thread holds blocks the worker, and with it other actors:
 * keep what is done under it short.  pthread_cond_wait with it blocks as well.
 *
 * In a thread that is no actor they lock and unlock, and note nothing.  Do not
 * mix them with the plain calls on the same mutex inside of actors: what is not
 * noted is not found.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MUTEX_H
#define COACT_MUTEX_H

#include <coact/error.h>

#include <pthread.h>

COACT_BEGIN_DECLS

/* Lock, and note where.  -EDEADLK, and a misuse: this actor holds it already,
   and would wait for itself.  An actor that ends with one held has made a
   mistake, unless a clean-up unlocks it: it stays locked.  Other codes are
   pthread_mutex_lock's, negative; after -EOWNERDEAD it is locked.
   from any, waits no, fails EDEADLK EINVAL EOWNERDEAD and what pthread_mutex_lock returns */
#define coact_mutex_lock(mutex) coact__mutex_lock((mutex), __FILE__, __LINE__)

/* The same if nobody holds it; -EBUSY if somebody does, we too.
   from any, waits no, fails EBUSY EINVAL EOWNERDEAD and what pthread_mutex_trylock returns */
#define coact_mutex_trylock(mutex)                                             \
    coact__mutex_trylock((mutex), __FILE__, __LINE__)

/* Unlock.  -EPERM, and a misuse: this actor has not locked it with these calls,
   and it stays as it is.
   from any, waits no, fails EPERM EINVAL and what pthread_mutex_unlock returns */
COACT_API int coact_mutex_unlock(pthread_mutex_t *mutex);

/* ---- Behind the macros --------------------------------------------------- */

COACT_API int coact__mutex_lock(pthread_mutex_t *mutex, const char *file,
                                int line);
COACT_API COACT_CHECKED int coact__mutex_trylock(pthread_mutex_t *mutex,
                                                 const char *file, int line);

COACT_END_DECLS

#endif
