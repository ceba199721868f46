/*
 * blocking.h - calls that block their thread, made so that they do not.
 *
 * A call that waits inside the kernel or in somebody's library (a file, a
 * database client, a device) would hold up the worker, and with it all actors
 * that the worker runs.  coact_blocking gives it to a thread of a pool, and only
 * the actor waits:
 *
 *   struct reading { char *path; char *text; };
 *
 *   static void read_it(void *arg)        (on a thread of the pool)
 *   {
 *       struct reading *r = arg;
 *       r->text = whole_file(r->path);
 *   }
 *   static void drop_it(void *arg)
 *   {
 *       struct reading *r = arg;
 *       free(r->path), free(r->text);
 *   }
 *
 *   struct reading r = {.path = strdup(path)};
 *   int rc = coact_blocking(read_it, &r, sizeof(r), drop_it, coact_in_ms(500));
 *   if (rc == 0) { use(r.text); drop_it(&r); }
 *
 * A thread in the middle of such a call cannot be stopped.  An actor that is
 * killed, or does not want to wait any longer, goes on without it; the call ends
 * when it ends, and what it found out is destroyed.  That is why the call works
 * on a copy of its argument, and must be given all that it uses: nothing in
 * *arg may point into the actor's stack or its arena, nor into *arg itself, and
 * a descriptor in it is better a duplicate of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_BLOCKING_H
#define COACT_BLOCKING_H

#include <coact/error.h>

#include <stddef.h>
#include <stdint.h>

COACT_BEGIN_DECLS

/* Call fn on a thread that may block, with a copy of the `bytes` at arg (no
   argument: NULL and 0), and wait until it returns.
   0: it has returned, and *arg is what fn left in the copy; all in it is ours
   again.
   Anything else: *arg is taken.  What it owns is destroyed with destroy (NULL: it
   owns nothing), once: here if fn was not called, and by the pool when fn returns
   if it was; its result is not seen.  A call that has no thread yet when the wait
   ends is never made.
   fn and destroy may not call coact.  -EAGAIN: there is no thread, and none can
   be made.
   from actor, waits yes, fails ETIMEDOUT ECANCELED ENOMEM EAGAIN EINVAL EPERM */
COACT_API COACT_CHECKED int coact_blocking(void (*fn)(void *arg), void *arg,
                                           size_t bytes,
                                           void (*destroy)(void *arg),
                                           int64_t deadline_ns);

COACT_END_DECLS

#endif
