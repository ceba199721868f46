/*
 * held_mutex.h - the mutexes of the library count themselves.
 *
 * Builds that count locks (held.h) compile every file of the library with this
 * before all else (-include): so the calls are counted, and nobody has to write
 * them otherwise.  A mutex of a user's is not ours to count: mutex.c takes
 * these names back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_HELD_MUTEX_H
#define COACT_RUNTIME_HELD_MUTEX_H

#include "runtime/held.h"

#include <pthread.h>

#define pthread_mutex_lock(mutex)                                              \
    coact__held_if(pthread_mutex_lock(mutex), __FILE__, __LINE__)
#define pthread_mutex_trylock(mutex)                                           \
    coact__held_if(pthread_mutex_trylock(mutex), __FILE__, __LINE__)
#define pthread_mutex_unlock(mutex)                                            \
    (coact__held_give(), pthread_mutex_unlock(mutex))

#endif
