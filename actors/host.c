/*
 * host.c - a runtime inside somebody else's event loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "actors/node.h"
#include "runtime/held.h"
#include "runtime/here.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <poll.h>

int
coact_fd(struct coact_runtime *runtime)
{
    return runtime->options.host_driven ? runtime->scheduler.poller.epoll_fd
                                        : -ENOTSUP;
}

int64_t
coact_next_deadline(struct coact_runtime *runtime)
{
    if (!runtime->options.host_driven) {
        return COACT_FOREVER;
    }
    int64_t ours = coact__scheduler_next_ns(&runtime->scheduler);
    int64_t node = coact__node_next_ns(runtime);
    return node < ours ? node : ours;
}

int64_t
coact_pump(struct coact_runtime *runtime, int64_t deadline_ns)
{
    if (!runtime->options.host_driven) {
        return coact__misuse(runtime, -EPERM, "coact_pump",
                             "the runtime has threads of its own; start it "
                             "with host_driven");
    }
    if (coact__here()->worker != NULL) {
        return coact__misuse(runtime, -EPERM, "coact_pump",
                             "called by an actor");
    }
    // Threads that wait in coact_ask or coact_join drive it too.
    pthread_mutex_lock(&runtime->pump_lock);
    // It is held around the switches of actors, not by one of them.
    struct coact__held held = coact__held_set_aside();
    coact__node_step(runtime);
    int64_t dispatches =
        coact__scheduler_pump(&runtime->scheduler, deadline_ns);
    coact__held_put_back(held);
    pthread_mutex_unlock(&runtime->pump_lock);
    return dispatches;
}

void
coact__drive(struct coact_runtime *runtime, int bell, int64_t deadline_ns)
{
    if (coact_pump(runtime, deadline_ns) > 0) {
        return;
    }
    int64_t next = coact_next_deadline(runtime);
    next = next < deadline_ns ? next : deadline_ns;
    if (coact__oracle_is_simulated()) {
        coact__oracle_skip_to(next);
        return;
    }
    int64_t left =
        next == COACT_FOREVER ? COACT_FOREVER : next - coact__oracle_now_ns();
    int timeout_ms = left == COACT_FOREVER    ? -1
                     : left <= 0              ? 0
                     : left / 1000000 < 60000 ? (int)(left / 1000000) + 1
                                              : 60000;
    struct pollfd fds[] = {{.fd = coact_fd(runtime), .events = POLLIN},
                           {.fd = bell, .events = POLLIN}};
    poll(fds, 2, timeout_ms);
}
