/*
 * shim.h - the machine of crowd.h in place of the real one.
 *
 * To be included before everything else.  What is not replaced below acts on
 * the one real thread, and takes no time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_CROWD_SHIM_H
#define COACT_TEST_CROWD_SHIM_H

#include "test/crowd/crowd.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A mutex of the crowd is not counted among those that a thread holds. */
#define COACT_RUNTIME_HELD_MUTEX_H

#undef pthread_mutex_lock
#undef pthread_mutex_unlock
#define pthread_mutex_init(mutex, attr) crowd_mutex_init(mutex)
#define pthread_mutex_destroy(mutex) crowd_nothing(mutex)
#define pthread_mutex_lock(mutex) crowd_mutex_lock(mutex)
#define pthread_mutex_unlock(mutex) crowd_mutex_unlock(mutex)
#define pthread_condattr_init(attr) crowd_nothing(attr)
#define pthread_condattr_setclock(attr, clock) crowd_nothing(attr)
#define pthread_condattr_destroy(attr) crowd_nothing(attr)
#define pthread_cond_init(cond, attr) crowd_nothing(cond)
#define pthread_cond_destroy(cond) crowd_nothing(cond)
#define pthread_cond_signal(cond) crowd_cond_signal(cond)
#define pthread_cond_wait(cond, mutex) crowd_cond_wait(cond, mutex)
#define pthread_cond_timedwait(cond, mutex, until)                             \
    crowd_cond_timedwait(cond, mutex, until)
#define pthread_create(out, attr, body, arg) crowd_thread_create(out, body, arg)
#define pthread_join(thread, result) crowd_join(thread)
#define pthread_tryjoin_np(thread, result) (crowd_join(thread), 0)
#define pthread_setname_np(thread, name) ((void)(name))
#define prctl(...) ((void)0)
#define sched_yield() crowd_yield()
/* The nap of who waits for a spin lock: he is in the middle of something. */
#define nanosleep(span, left) crowd_work((span)->tv_nsec)
#define syscall(...) crowd_has_barrier()
#define coact__membarrier() crowd_barrier()
#define coact__pause() crowd_pause()

#ifdef __clang__
#define CROWD_ATOMIC(gcc, clang) __c11_atomic_##clang
#else
#define CROWD_ATOMIC(gcc, clang) __atomic_##gcc
#endif

#undef atomic_init
#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_compare_exchange_strong_explicit
#define atomic_init(object, value)                                             \
    CROWD_ATOMIC(store_n, store)(object, value, __ATOMIC_RELAXED)
#define atomic_load_explicit(object, order)                                    \
    ((void)crowd_step(), CROWD_ATOMIC(load_n, load)(object, __ATOMIC_SEQ_CST))
#define atomic_store_explicit(object, value, order)                            \
    ((void)crowd_step(),                                                       \
     CROWD_ATOMIC(store_n, store)(object, value, __ATOMIC_SEQ_CST))
#define atomic_exchange_explicit(object, value, order)                         \
    ((void)crowd_step(),                                                       \
     CROWD_ATOMIC(exchange_n, exchange)(object, value, __ATOMIC_SEQ_CST))
#define atomic_fetch_add_explicit(object, value, order)                        \
    ((void)crowd_step(),                                                       \
     CROWD_ATOMIC(fetch_add, fetch_add)(object, value, __ATOMIC_SEQ_CST))
#define atomic_fetch_sub_explicit(object, value, order)                        \
    ((void)crowd_step(),                                                       \
     CROWD_ATOMIC(fetch_sub, fetch_sub)(object, value, __ATOMIC_SEQ_CST))
#define atomic_fetch_or_explicit(object, value, order)                         \
    ((void)crowd_step(),                                                       \
     CROWD_ATOMIC(fetch_or, fetch_or)(object, value, __ATOMIC_SEQ_CST))
#define atomic_fetch_and_explicit(object, value, order)                        \
    ((void)crowd_step(),                                                       \
     CROWD_ATOMIC(fetch_and, fetch_and)(object, value, __ATOMIC_SEQ_CST))
#ifdef __clang__
#define CROWD_SWAP(object, expected, desired)                                  \
    __c11_atomic_compare_exchange_strong(object, expected, desired,            \
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#else
#define CROWD_SWAP(object, expected, desired)                                  \
    __atomic_compare_exchange_n(object, expected, desired, 0,                  \
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#endif
#define atomic_compare_exchange_strong_explicit(object, expected, desired,     \
                                                success, failure)              \
    ((void)crowd_step(), CROWD_SWAP(object, expected, desired))
#define atomic_compare_exchange_weak_explicit(object, expected, desired,       \
                                              success, failure)                \
    ((void)crowd_step(),                                                       \
     !crowd_weak_fails() && CROWD_SWAP(object, expected, desired))

#endif
