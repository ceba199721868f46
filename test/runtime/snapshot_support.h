/*
 * snapshot_support.h - threads to look at, and how to say what was found.
 *
 * The functions that must be found are exported by the programs (they are linked
 * so), but for one, which only the file's own table knows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_SNAPSHOT_SUPPORT_H
#define COACT_TEST_SNAPSHOT_SUPPORT_H

#include "runtime/context.h"
#include "runtime/snapshot.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MS INT64_C(1000000)
#define PATIENCE_NS (8000 * MS)
#define SIGNAL (SIGRTMIN + 3)
#define FOUND_BY_NAME __attribute__((visibility("default"), noinline))

/* Not a tail call, or the caller would not be found. */
#define STAY __asm__ volatile("")

enum { FRAMES = COACT__SNAPSHOT_FRAMES, STACK = 64 << 10 };

struct subject {
    pthread_t thread;
    _Atomic pid_t tid; /* once it is there */
    int pipe[2];
    bool is_deaf;
    _Atomic int phase;
    struct coact__context home;
    struct coact__context guest;
};

FOUND_BY_NAME void spin_until_over(struct subject *subject);
FOUND_BY_NAME void coroutine_that_spins(void *arg, void *pass);
FOUND_BY_NAME void read_for_ever(struct subject *subject);

FOUND_BY_NAME void *run_spin(void *arg); /* in spin_until_over */
void *run_coroutine(void *arg);          /* there, from a coroutine */
void *run_read(void *arg);               /* in read_for_ever */

/* A thread; its id, once it says that it is there. */
pid_t start(struct subject *subject, void *(*body)(void *));
void say_tid(struct subject *subject);

/* The end of all that spin. */
bool over(void);
void end(pthread_t thread);

/* Until it sleeps in that call. */
void await_call(pid_t tid, long call);

void must_install(void);

/* Must succeed. */
int take(pid_t tid, void **frames);

/* Is one of the frames in the first bytes of a function? */
bool has_frame_in(void *const *frames, int count, uintptr_t function);

struct text {
    char lines[16384];
    size_t bytes;
};

struct text print(void *const *frames, int count);
void must_name(const struct text *text, const char *function);

#endif
