/*
 * snapshot.h - the backtrace of another thread of this process, on whatever
 * stack it runs.
 *
 * Opt-in: only coact__snapshot_install puts a signal handler in place, because
 * the host has asked for it.  A take sends that signal to one thread.  Its
 * handler walks what it interrupted by the unwind tables, so code needs no frame
 * pointers; a coroutine's walk ends at its first frame, and code without tables
 * (the few instructions of a switch) ends it early.
 *
 * What it costs the thread that is looked at: some ten microseconds, up to 8 KiB
 * of signal stack (the worker's own, altstack.h; a thread that has none needs
 * that much room below its stack pointer), and, where it sleeps in the kernel,
 * an interruption.  Most calls are restarted and notice nothing: read, write,
 * accept, connect, futex, flock, wait.  By the kernel's rules these fail with
 * EINTR, as they do for any handler: poll, select, epoll_wait, nanosleep,
 * sigtimedwait, the waits of System V queues and semaphores, and socket calls
 * with a time-out of SO_RCVTIMEO or SO_SNDTIMEO.
 *
 * The signal is a real-time one, because of the others one that is pending
 * swallows the next.  A thread that blocks it cannot be looked at;
 * coact__snapshot_admit unblocks it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_SNAPSHOT_H
#define COACT_RUNTIME_SNAPSHOT_H

#include <stdint.h>
#include <sys/types.h>

enum { COACT__SNAPSHOT_FRAMES = 64 /* of one snapshot, at most */ };

/*
 * Handle a signal, SIGRTMIN to SIGRTMAX, for the rest of the process's life: one
 * that is sent may arrive late, and without the handler it would end the
 * process.  A signal of this number that is not ours goes to the handler that
 * was there before; if there was none, its default action, the process's end,
 * is carried out.  Once is enough; with the same signal again it does nothing.
 * fails EINVAL no real-time signal, EALREADY another one is installed, ENOTSUP
 * in simulation
 */
int coact__snapshot_install(int signal);

/* Let the calling thread be looked at.  Nothing if nothing is installed. */
void coact__snapshot_admit(void);

/*
 * The frames of a thread, innermost first, at most `most` of them; the result is
 * their number.  The first is where it stands, the others are where calls will
 * return to.  Any number of threads may take at once, and one may take itself;
 * the caller's thread waits, so it is not for actors.
 * A time-out says that the thread blocks the signal, has got no processor, or is
 * in a sleep that no signal ends; nothing is written to `frames` then, and never
 * after the return.
 * fails EINVAL, ENOTSUP not installed, ESRCH no such thread of this process,
 * EAGAIN no signal can be queued, ETIMEDOUT
 */
int coact__snapshot_take(pid_t tid, void **frames, int most,
                         int64_t timeout_ns);

/* What a snapshot may say beside the frames; written on the thread that is looked
   at, in the handler: nothing of that thread's can change meanwhile, though it
   may be half done.  Set once, before the first take. */
enum { COACT__SNAPSHOT_NOTES = 4 };
typedef void coact__snapshot_note(uint64_t notes[COACT__SNAPSHOT_NOTES]);
void coact__snapshot_set_note(coact__snapshot_note *note);

/* The same take with those notes, all 0 if nobody writes any. */
int coact__snapshot_take_noted(pid_t tid, void **frames, int most,
                               uint64_t notes[COACT__SNAPSHOT_NOTES],
                               int64_t timeout_ns);

/* What is done with a line of text.  It is lent for the call. */
typedef void coact__snapshot_line(void *arg, const char *line);

/* A line for each frame: number, address, function and where in it, file and
   where in it.  A name that the file does not tell is left out; the file and
   offset are what addr2line(1) wants.  It may wait for a dlopen. */
void coact__snapshot_print(void *const *frames, int count,
                           coact__snapshot_line *write_line, void *arg);

#endif
