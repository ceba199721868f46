/*
 * family.c - the local cluster of a runtime and its isolated children.
 *
 * The family's lock covers the list of cells and what is published of them.
 * It is never held together with a cell's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/family.h"

#include "actors/isolated.h"
#include "actors/isolated_sweeper.h"
#include "actors/node.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/transport/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct coact__family {
    struct coact_runtime *runtime;
    const struct coact_program *program;
    pthread_mutex_t open_lock; /* held while it is opened */
    bool is_open;              /* under open_lock */
    struct coact__spawner *spawner;
    char folder[COACT__FOLDER_BYTES]; /* empty: none */
    struct coact__sweeper sweeper;

    pthread_mutex_t lock;
    struct coact__cell *cells; /* under lock */
    uint32_t cells_made;       /* under lock */
};

int
coact__family_new(struct coact_runtime *runtime,
                  const struct coact_program *program)
{
    struct coact__family *family = coact__alloc_zeroed(sizeof(*family));
    if (family == NULL) {
        return -ENOMEM;
    }
    family->runtime = runtime;
    family->program = program;
    int rc = -pthread_mutex_init(&family->open_lock, NULL);
    if (rc == 0) {
        rc = -pthread_mutex_init(&family->lock, NULL);
        if (rc < 0) {
            pthread_mutex_destroy(&family->open_lock);
        }
    }
    if (rc < 0) {
        coact__free(family);
        return rc;
    }
    runtime->family = family;
    return 0;
}

/* ---- The folder ---------------------------------------------------------- */

/* mkdtemp makes it 0700. */
static int
make_folder(struct coact__family *family)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): only setenv beside it is unsafe
    const char *parents[] = {getenv("TMPDIR"), "/tmp"};
    int rc = -ENOENT;
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        int len = parents[i] != NULL
                      ? snprintf(family->folder, sizeof(family->folder),
                                 "%s/coact-XXXXXX", parents[i])
                      : -1;
        if (len < 0 || (size_t)len >= sizeof(family->folder)) {
            continue;
        }
        if (mkdtemp(family->folder) != NULL) {
            return 0;
        }
        rc = -errno;
    }
    family->folder[0] = '\0';
    coact__log(family->runtime, COACT_LOG_ERROR,
               "isolated children: no folder for their sockets in $TMPDIR or "
               "/tmp: %s",
               coact_strerror(rc));
    return rc;
}

static void
remove_folder(struct coact__family *family)
{
    if (family->folder[0] != '\0') {
        (void)coact__folder_remove(family->folder);
    }
    family->folder[0] = '\0';
}

/* A folder that nobody would remove is not used. */
static int
start_sweeper(struct coact__family *family)
{
    if (family->sweeper.pid != 0) {
        return 0;
    }
    int rc = coact__sweeper_start(&family->sweeper, family->folder);
    if (rc < 0) {
        coact__log(family->runtime, COACT_LOG_ERROR,
                   "isolated children: no process that removes their folder: "
                   "%s",
                   coact_strerror(rc));
    }
    return rc;
}

/* ---- Opening and closing ------------------------------------------------- */

static int
open_node(struct coact__family *family)
{
    if (coact__node_is_open(family->runtime)) {
        return 0;
    }
    unsigned char key[COACT__KEY_BYTES];
    char address[COACT__INMATE_ADDRESS];
    coact__oracle_random(key, sizeof(key));
    snprintf(address, sizeof(address), "ipc://%s/parent", family->folder);
    int rc = coact__node_open(family->runtime, address, key,
                              family->runtime->options.node.heartbeat_ns, NULL);
    coact__crypto_wipe(key, sizeof(key));
    return rc == -EALREADY ? 0 : rc;
}

static int
open_once(struct coact__family *family)
{
    if (family->is_open) {
        return 0;
    }
    int rc = family->folder[0] != '\0' ? 0 : make_folder(family);
    if (rc == 0) {
        rc = start_sweeper(family);
    }
    if (rc == 0) {
        rc = open_node(family);
    }
    if (rc == 0) {
        rc = coact__spawner_start(&family->spawner, NULL);
    }
    family->is_open = rc == 0;
    return rc;
}

int
coact__family_open(struct coact__family *family)
{
    pthread_mutex_lock(&family->open_lock);
    int rc = open_once(family);
    pthread_mutex_unlock(&family->open_lock);
    return rc;
}

int
coact__family_stop(struct coact_runtime *runtime, int64_t deadline_ns)
{
    struct coact__family *family = runtime->family;
    if (family == NULL) {
        return 0;
    }
    if (family->spawner != NULL) {
        int rc = coact__spawner_stop(family->spawner, deadline_ns);
        if (rc < 0) {
            return rc;
        }
        family->spawner = NULL;
    }
    remove_folder(family);
    coact__sweeper_stop(&family->sweeper);
    return 0;
}

void
coact__family_abandon(struct coact_runtime *runtime)
{
    if (runtime->family != NULL) {
        remove_folder(runtime->family);
    }
}

void
coact__family_free(struct coact_runtime *runtime)
{
    struct coact__family *family = runtime->family;
    if (family == NULL) {
        return;
    }
    pthread_mutex_destroy(&family->lock);
    pthread_mutex_destroy(&family->open_lock);
    coact__free(family);
    runtime->family = NULL;
}

const struct coact_program *
coact__family_program(const struct coact__family *family)
{
    return family->program;
}

struct coact_runtime *
coact__family_runtime(const struct coact__family *family)
{
    return family->runtime;
}

struct coact__spawner *
coact__family_spawner(struct coact__family *family)
{
    return family->spawner;
}

const unsigned char *
coact__family_key(struct coact__family *family)
{
    return coact__node_key(family->runtime);
}

const char *
coact__family_listens(struct coact__family *family)
{
    return coact__node_listens(family->runtime);
}

/* ---- Cells --------------------------------------------------------------- */

struct coact__cell *
coact__cell_new(struct coact__family *family, coact_ref guardian)
{
    struct coact__cell *cell = coact__alloc_zeroed(sizeof(*cell));
    if (cell == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&cell->lock, NULL) != 0) {
        coact__free(cell);
        return NULL;
    }
    atomic_init(&cell->holds, 1);
    cell->family = family;
    cell->guardian = guardian;
    pthread_mutex_lock(&family->lock);
    uint32_t number = ++family->cells_made;
    cell->next = family->cells;
    family->cells = cell;
    pthread_mutex_unlock(&family->lock);
    snprintf(cell->address, sizeof(cell->address), "ipc://%s/%u",
             family->folder, number);
    return cell;
}

void
coact__cell_unhold(struct coact__cell *cell)
{
    // Releases what this holder wrote; the last one acquires it all.
    if (atomic_fetch_sub_explicit(&cell->holds, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (cell->last_news != NULL) {
        coact__envelope_free(&cell->family->runtime->scheduler,
                             cell->last_news);
    }
    coact__process_unref(cell->process);
    pthread_mutex_destroy(&cell->lock);
    coact__free(cell);
}

/* What cannot be queued is lost: that child does not read, and its parent will
   notice by other means. */
static void
tell_sibling(struct coact__cell *to, enum coact__packet_kind kind,
             const struct coact__cell *about)
{
    struct coact__packet packet = {.kind = kind, .node = about->published_node};
    memcpy(packet.address, about->address, sizeof(packet.address));
    (void)!coact__process_send(to->process, &packet, sizeof(packet));
}

void
coact__family_publish(struct coact__cell *cell, uint32_t node, coact_ref body)
{
    struct coact__family *family = cell->family;
    pthread_mutex_lock(&family->lock);
    cell->published_node = node;
    cell->published = body;
    for (struct coact__cell *c = family->cells; c != NULL; c = c->next) {
        if (c != cell && c->published_node != 0) {
            tell_sibling(c, COACT__PACKET_PEER, cell);
            tell_sibling(cell, COACT__PACKET_PEER, c);
        }
    }
    pthread_mutex_unlock(&family->lock);
}

void
coact__family_remove(struct coact__cell *cell)
{
    struct coact__family *family = cell->family;
    pthread_mutex_lock(&family->lock);
    struct coact__cell **at = &family->cells;
    while (*at != cell) {
        at = &(*at)->next;
    }
    *at = cell->next;
    for (struct coact__cell *c = family->cells; c != NULL; c = c->next) {
        if (cell->published_node != 0 && c->published_node != 0) {
            tell_sibling(c, COACT__PACKET_GONE, cell);
        }
    }
    pthread_mutex_unlock(&family->lock);
    (void)unlink(cell->address + strlen("ipc://"));
}

/* ---- Which guardian is whose --------------------------------------------- */

coact_ref
coact__isolated_address(coact_ref guardian)
{
    struct coact_runtime *runtime = coact__runtime_here();
    struct coact__family *family = runtime != NULL ? runtime->family : NULL;
    coact_ref body = {0};
    if (family == NULL) {
        return body;
    }
    pthread_mutex_lock(&family->lock);
    for (struct coact__cell *c = family->cells; c != NULL; c = c->next) {
        if (coact_ref_equal(c->guardian, guardian)) {
            body = c->published;
        }
    }
    pthread_mutex_unlock(&family->lock);
    return body;
}

coact_ref
coact__isolated_guardian(coact_ref body)
{
    struct coact_runtime *runtime = coact__runtime_here();
    struct coact__family *family = runtime != NULL ? runtime->family : NULL;
    if (family == NULL || coact_ref_is_none(body)) {
        return body;
    }
    pthread_mutex_lock(&family->lock);
    for (struct coact__cell *c = family->cells; c != NULL; c = c->next) {
        if (coact_ref_equal(c->published, body)) {
            body = c->guardian;
            break;
        }
    }
    pthread_mutex_unlock(&family->lock);
    return body;
}

/* ---- Whether a body can be reached --------------------------------------- */

/* The cell whose body this is, held; NULL: none. */
static struct coact__cell *
hold_cell_of(struct coact__family *family, coact_ref body)
{
    pthread_mutex_lock(&family->lock);
    struct coact__cell *cell = family->cells;
    while (cell != NULL && !coact_ref_equal(cell->published, body)) {
        cell = cell->next;
    }
    if (cell != NULL) {
        // Relaxed: the list's hold lasts as long as we have the lock.
        atomic_fetch_add_explicit(&cell->holds, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&family->lock);
    return cell;
}

int
coact__isolated_check(coact_ref body)
{
    struct coact_runtime *runtime = coact__runtime_here();
    struct coact__family *family = runtime != NULL ? runtime->family : NULL;
    if (family == NULL || body.node == runtime->node) {
        return 0;
    }
    struct coact__cell *cell = hold_cell_of(family, body);
    if (cell == NULL) {
        return -EAGAIN;
    }
    pthread_mutex_lock(&cell->lock);
    bool has_ended = cell->has_ended;
    pthread_mutex_unlock(&cell->lock);
    coact__cell_unhold(cell);
    if (has_ended) {
        return -EAGAIN;
    }
    uint32_t incarnation;
    int rc = coact__node_await(runtime, body.node, COACT_NOW, &incarnation);
    return rc == -ETIMEDOUT || rc == -ENOENT ? -EAGAIN : rc;
}
