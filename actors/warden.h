/*
 * warden.h - the supervisor of an isolated child's body, in its process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_WARDEN_H
#define COACT_ACTORS_WARDEN_H

#include "actors/isolated_wire.h"
#include "runtime/process.h"

#include <coact/error.h>
#include <coact/main.h>

#include <pthread.h>

/* Whom it watches, and what it knows of him.  It must stay as long as the line is
   open: what comes there after the warden's end looks for its address here. */
struct coact__ward {
    struct coact_runtime *runtime;
    struct coact__process_child *line; /* to the guardian */
    const struct coact__sentence *sentence;
    const struct coact_body *body;
    void *arg; /* the body's; NULL: none */
    coact_ref warden;

    // The warden's.
    coact_ref actor;
    coact_monitor_id monitor;
    bool has_told_start;
    int64_t busy_since_ns; /* 0: the body waited when we last looked */
    int64_t waited_ns;     /* when its last wait before that began */

    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over; /* under lock: the warden has ended */
};

/* Spawn the body below a warden, and wait until that has ended.
   fails as a spawn does, and as coact__process_child_listen */
COACT_CHECKED int coact__warden_run(struct coact__ward *ward);

/* ---- Words to the guardian ----------------------------------------------- */

void coact__warden_tell(struct coact__process_child *line,
                        const struct coact__packet *packet);

/* As if it were the body's end. */
void coact__warden_tell_failure(struct coact__process_child *line, int code,
                                const char *what);

#endif
