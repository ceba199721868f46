/*
 * error.h - what can go wrong, and what it is called.
 *
 * Every call that can fail returns 0 or a negative code of this table; a call
 * that counts returns the count or such a code.  The numbers are those of
 * errno, negated, so that a code from the kernel passes through unchanged, but
 * errno itself is never used: an actor may resume on another thread between a
 * call and the check of its result (docs/adr/0002).
 *
 * How to read the contracts in these headers.  Each ends with a line of facts:
 *   from    "any" thread, "actor": only code running inside one, or "host": a
 *           thread that is not an actor
 *   waits   "no", or "yes": the actor is suspended, its worker is not; a thread
 *           that is not an actor sleeps
 *   fails   every code that can come back besides 0, without the minus
 * "Copied" means yours again on return; "lent", keep it alive until the time
 * named; "taken", ours even if the call fails; "given", free it with the call
 * named.  Deadlines are absolute coact_now_ns() times.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ERROR_H
#define COACT_ERROR_H

#include <errno.h>

#define COACT_API __attribute__((visibility("default")))
#define COACT_CHECKED __attribute__((warn_unused_result))

#ifdef __cplusplus
#define COACT_NORETURN [[noreturn]]
#define COACT_BEGIN_DECLS extern "C" {
#define COACT_END_DECLS }
#else
#define COACT_NORETURN _Noreturn
#define COACT_BEGIN_DECLS
#define COACT_END_DECLS
#endif

/* X(code, what it means to a caller of coact) */
#define COACT_ERROR_TABLE(X)                                                   \
    X(EINVAL, "an argument is not valid")                                      \
    X(ENOMEM, "no memory, or no room for one more stack")                      \
    X(EAGAIN, "not now: it would have to wait, or a limit is reached")         \
    X(EPERM, "called from the wrong place")                                    \
    X(ESRCH, "no such actor: it has ended, or never was")                      \
    X(EOWNERDEAD, "the actor died while it was being waited for")              \
    X(ETIMEDOUT, "the deadline passed")                                        \
    X(ECANCELED, "this actor is asked to end")                                 \
    X(ENOBUFS, "the mailbox is full")                                          \
    X(EPIPE, "the request was dropped without a reply")                        \
    X(ENOTCONN, "no connection to that node")                                  \
    X(ECONNREFUSED, "the other side refused")                                  \
    X(EDEADLK, "an actor that asks itself would wait for ever")                \
    X(EEXIST, "the name is taken, or the child exists")                        \
    X(ENOENT, "there is nothing of that name")                                 \
    X(EBUSY, "still in use")                                                   \
    X(EALREADY, "that has been done already")                                  \
    X(ENOTSUP, "not supported here")                                           \
    X(EOVERFLOW, "too large")                                                  \
    X(EBADMSG, "the bytes are not a valid message")                            \
    X(EPROTO, "the peer broke the protocol")                                   \
    X(EACCES, "the key does not fit, or the file may not be read")             \
    X(EIO, "input or output failed")                                           \
    X(EMFILE, "no file descriptor left")                                       \
    X(EBADF, "that is no open descriptor")                                     \
    X(EADDRINUSE, "the address is in use")                                     \
    X(ESHUTDOWN, "the runtime is stopping")                                    \
    X(ECHILD, "the process ended")

COACT_BEGIN_DECLS

/* What a code means, in English; 0 is "success".  A code that is not in the
   table above gets the system's text.  The text is never freed.
   from any, waits no, fails never */
COACT_API const char *coact_strerror(int code);

/* The name of a code, such as "ETIMEDOUT", or NULL if it is not in the table.
   from any, waits no, fails never */
COACT_API const char *coact_errname(int code);

COACT_END_DECLS

#endif
