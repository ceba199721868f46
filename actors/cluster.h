/*
 * cluster.h - other nodes, and how to find actors there.
 *
 * A node is a process with a runtime that has a number, an address to listen
 * at, and the cluster's key (struct coact_node_options).  Tell each node of its
 * peers; the links come up by themselves, and again after they broke.  From
 * then on an address of an actor there is used like any other: it is sent to,
 * asked, monitored, linked and killed with the same calls.
 *
 * What is different.  A node may be out of reach: then sends and asks fail with
 * ENOTCONN, and every monitor and link across says COACT_NOCONNECTION; the
 * actor there may live on.  Order holds, and nothing is delivered twice; what
 * is lost is always the last part of what was sent before the link went down.
 * A node that restarts is a new incarnation, and old addresses name nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_CLUSTER_H
#define COACT_CLUSTER_H

#include <coact/actor.h>
#include <coact/error.h>

#include <stdint.h>

COACT_BEGIN_DECLS

/* Keep a link to a node up: its number, and where it listens.  It must be told
   of us, too.
   from any, waits no, fails EINVAL EEXIST ENOMEM ENOTSUP ESHUTDOWN EMFILE */
COACT_API COACT_CHECKED int coact_node_add(struct coact_runtime *runtime,
                                           uint32_t number,
                                           const char *address);

/* End the link, and all monitors and links across it.
   from any, waits no, fails ENOENT */
COACT_API int coact_node_remove(struct coact_runtime *runtime, uint32_t number);

/* Wait until the link to a node is up.
   from any, waits yes, fails ENOENT ETIMEDOUT ECANCELED ENOTSUP EPERM ENOMEM ESHUTDOWN EAGAIN */
COACT_API COACT_CHECKED int coact_node_await(uint32_t number,
                                             int64_t deadline_ns);

/* Find the actor that has a name on another node, and there a mailbox of this
   name; what that takes is checked message by message:
   coact_whereis_at(bank, 7, "bank", &bank, coact_in_ms(100)).
   from any, waits yes, fails ENOENT EINVAL ENOTCONN ETIMEDOUT ECANCELED ENOTSUP EPERM ENOMEM EOWNERDEAD EPIPE ESHUTDOWN EAGAIN ECONNREFUSED EBADMSG EOVERFLOW */
#define coact_whereis_at(mailbox, number, actor_name, out, deadline_ns)        \
    coact__whereis_at(&mailbox##_coact_mailbox, (number), (actor_name),        \
                      &(1 ? (out) : (mailbox##_ref *)0)->ref, (deadline_ns))

/* Make a file with a new cluster key, readable by its owner only.
   from any, waits no, fails EEXIST EACCES EIO ENOENT ENOMEM */
COACT_API COACT_CHECKED int coact_key_create(const char *path);

/* ---- Behind the macros --------------------------------------------------- */

COACT_API COACT_CHECKED int
coact__whereis_at(const struct coact_mailbox *mailbox, uint32_t number,
                  const char *name, coact_ref *out, int64_t deadline_ns);

COACT_END_DECLS

#endif
