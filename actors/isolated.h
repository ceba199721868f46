/*
 * isolated.h - a supervised child that is an OS process.
 *
 * Two actors stand for it.  On the parent's side a guardian, linked to the
 * supervisor as any child is: it lives exactly as long as the process and ends
 * with the process's reason.  In the process a warden, which is the supervisor
 * of the one actor that the process is there for: the body.
 *
 *   supervisor - guardian ==== socketpair ==== warden - body
 *                runtime  ==== transport ===== runtime
 *
 * Over the socketpair go the few packets of isolated_wire.h and, at its end,
 * the death of either side.  What actors say to each other goes by the
 * transport, as between any two nodes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_ISOLATED_H
#define COACT_ACTORS_ISOLATED_H

#include <coact/error.h>
#include <coact/ref.h>
#include <coact/supervisor.h>

struct coact_program;

/* Start a guardian, a linked child of the calling supervisor, and through it
   the process.  It calls coact_started when the body can be reached.
   -ENOTSUP where the program has no coact_main, -ENOENT where the body is not
   in its table, -EINVAL where the argument is not what the table says. */
COACT_CHECKED int coact__spawn_isolated(const struct coact_child *spec,
                                        coact_ref *guardian);

/* The body's address; nobody's before the guardian has called coact_started.
   A guardian of another runtime's is nobody's. */
coact_ref coact__isolated_address(coact_ref guardian);

/* Whether the body that a supervisor gave can be reached, as far as is known
   here: it learns of an end later than who talks to it.  -EAGAIN: the process
   has ended, or the link to it is down; another address comes, or the link
   again.  0 for an actor of this runtime's.  Waits only where the calling
   thread is no actor; fails as coact__node_await. */
COACT_CHECKED int coact__isolated_check(coact_ref body);

/* The guardian of such a body; `body` itself if it has none here. */
coact_ref coact__isolated_guardian(coact_ref body);

/* The whole life of an isolated child's process; the result is its exit code.
   May not return. */
int coact__inmate_main(const struct coact_program *program);

#endif
