/*
 * slots.c - the places that actors live in.
 *
 * The table of slots has its full length from the start, as address space, so
 * that it never moves and a look-up is an addition.  Memory comes in slabs, when
 * needed, and stays until the runtime is freed.  A slab is a huge page: a million
 * slots would be tens of thousands of page faults otherwise.
 *
 * A slot's generation goes up by one when its actor ends: from then on the old
 * address names nobody.  A slot that has used up its generations is not used
 * again.
 *
 * Each worker keeps some free slots to hand; it exchanges bundles of them with
 * the runtime's list, under the lock.
 *
 * Memory orders: the end of what has memory is published with release and read
 * with acquire: who finds a slot below it may touch it.  The generation is stored with release and loaded
 * with acquire: who finds it changed also finds the end that changed it.  `gone`
 * is stored with release and read with acquire, before `born`: who counts an end
 * also counts the birth that came before it, so that nobody is counted out who
 * was not counted in.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#if COACT__ASAN
#include <sanitizer/lsan_interface.h>
#endif

#define SLAB_BYTES (COACT__SLAB_SLOTS * sizeof(struct coact__actor))
#define HUGE_PAGE ((uintptr_t)2 << 20)
#define CACHE_BUNDLE 64u
#define MANY_ACTORS (UINT32_C(1) << 20)

/* What the sanitizers have to be told makes it larger. */
#if !COACT__ASAN && !COACT__TSAN
_Static_assert(
    sizeof(struct coact__actor) == 256,
    "there may be a million, and an idle one is little else; a power "
    "of two, for the look-up");
_Static_assert(SLAB_BYTES == 2 << 20, "a huge page");
#endif

bool
coact__is_local(const struct coact_runtime *runtime, coact_ref ref)
{
    // Nobody, and who lived here before our time, are ours to call dead.
    return ref.node == runtime->node || coact_ref_is_none(ref);
}

coact_ref
coact__ref_of(const struct coact__actor *actor)
{
    const struct coact_runtime *runtime = coact__runtime_of(actor);
    return (coact_ref){runtime->node, runtime->incarnation,
                       coact__number_of(actor), coact__generation_of(actor)};
}

/* Address space for so many slots; whole slabs, aligned to a huge page. */
static bool
reserve(struct coact_runtime *runtime, size_t slots)
{
    size_t slabs = (slots + COACT__SLAB_SLOTS - 1) / COACT__SLAB_SLOTS;
    size_t bytes = (slabs + 1) * SLAB_BYTES;
    void *at = coact__fails()
                   ? MAP_FAILED
                   : mmap(NULL, bytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return false;
    }
    uintptr_t aligned = ((uintptr_t)at + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
#if COACT__ASAN
    // An actor may hold the only pointer to what it owns.
    __lsan_register_root_region(at, bytes);
#endif
    runtime->range = at;
    runtime->range_bytes = bytes;
    runtime->table = (struct coact__actor *)aligned;
    return true;
}

int
coact__slots_init(struct coact_runtime *runtime)
{
    uint32_t most = runtime->options.max_actors;
    // Where address space is limited we do with less of it.
    while (!reserve(runtime, most)) {
        if (most <= COACT__SLAB_SLOTS) {
            return -ENOMEM;
        }
        most /= 2;
    }
    runtime->options.max_actors = most;
    return 0;
}

void
coact__slots_free(struct coact_runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->slots; i++) {
        coact__free(atomic_load_explicit(&runtime->table[i].bound,
                                         memory_order_relaxed));
    }
#if COACT__ASAN
    __lsan_unregister_root_region(runtime->range, runtime->range_bytes);
#endif
    munmap(runtime->range, runtime->range_bytes);
}

/* Under the lock: back the next slab with memory. */
static bool
open_slab(struct coact_runtime *runtime, uint32_t end)
{
    void *at = &runtime->table[end];
    if (coact__fails() ||
        mprotect(at, SLAB_BYTES, PROT_READ | PROT_WRITE) != 0) {
        return false;
    }
    // The first one as small pages: most runtimes need few of them.
    if (end > 0) {
        (void)madvise(at, SLAB_BYTES, MADV_HUGEPAGE);
    }
    atomic_store_explicit(&runtime->slots_end, end + COACT__SLAB_SLOTS,
                          memory_order_release);
    return true;
}

/* Under the lock. */
static struct coact__actor *
new_slot(struct coact_runtime *runtime, int *rc)
{
    uint32_t slot = runtime->slots;
    if (slot >= runtime->options.max_actors) {
        *rc = -EAGAIN;
        return NULL;
    }
    uint32_t end =
        atomic_load_explicit(&runtime->slots_end, memory_order_relaxed);
    if (slot == end && !open_slab(runtime, end)) {
        *rc = -ENOMEM;
        return NULL;
    }
    struct coact__actor *actor = &runtime->table[slot];
    actor->task.scheduler = &runtime->scheduler;
    atomic_store_explicit(&actor->task.whose, coact__whose(slot, 1),
                          memory_order_relaxed);
    runtime->slots++;
    return actor;
}

/* Under the lock: a slot of the list, or a new one. */
static struct coact__actor *
take_listed(struct coact_runtime *runtime, int *rc)
{
    struct coact__actor *actor = runtime->free_slots;
    if (actor == NULL) {
        return new_slot(runtime, rc);
    }
    runtime->free_slots = actor->next_free;
    return actor;
}

/* Where few are allowed, none may lie idle with another worker; nor with one that
   sleeps between its actor's runs. */
static uint32_t
bundle_of(const struct coact_runtime *runtime,
          const struct coact__worker *worker)
{
    return runtime->options.max_actors < MANY_ACTORS ||
                   coact__worker_is_pinned(worker)
               ? 1
               : CACHE_BUNDLE;
}

/* A worker's cache is empty. */
static void
fill(struct coact__worker *worker, struct coact__slot_cache *cache, int *rc)
{
    struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    pthread_mutex_lock(&runtime->lock);
    while (cache->count < bundle_of(runtime, worker)) {
        struct coact__actor *actor = take_listed(runtime, rc);
        if (actor == NULL) {
            break;
        }
        actor->next_free = cache->first;
        cache->first = actor;
        cache->count++;
    }
    pthread_mutex_unlock(&runtime->lock);
}

/* A worker's cache has too many. */
static void
spill(struct coact__worker *worker, struct coact__slot_cache *cache)
{
    struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    pthread_mutex_lock(&runtime->lock);
    uint32_t keeps = bundle_of(runtime, worker) - 1;
    while (cache->count > keeps) {
        struct coact__actor *actor = cache->first;
        cache->first = actor->next_free;
        cache->count--;
        actor->next_free = runtime->free_slots;
        runtime->free_slots = actor;
    }
    pthread_mutex_unlock(&runtime->lock);
}

/* The rows of the worker that this thread is. */
static struct coact__worker *
worker_here(const struct coact_runtime *runtime)
{
    struct coact__worker *worker = coact__here()->worker;
    return worker != NULL && worker->scheduler == &runtime->scheduler ? worker
                                                                      : NULL;
}

/* By a thread that is no worker: coact_stop may have counted already. */
static struct coact__actor *
take_outside(struct coact_runtime *runtime, int *rc)
{
    pthread_mutex_lock(&runtime->lock);
    struct coact__actor *actor = NULL;
    if (atomic_load_explicit(&runtime->stopping, memory_order_acquire)) {
        *rc = -ESHUTDOWN;
    } else {
        actor = take_listed(runtime, rc);
    }
    if (actor != NULL) {
        COACT__COUNT_ONE(runtime, born);
    }
    pthread_mutex_unlock(&runtime->lock);
    return actor;
}

struct coact__actor *
coact__slot_take_quickly(struct coact__worker *worker)
{
    struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    struct coact__slot_cache *cache = &runtime->slot_caches[worker->index];
    struct coact__actor *actor = cache->first;
    if (actor == NULL) {
        return NULL;
    }
    cache->first = actor->next_free;
    cache->count--;
    coact__worker_count(&runtime->counts[worker->index].born, 1);
    return actor;
}

struct coact__actor *
coact__slot_take(struct coact_runtime *runtime, int *rc)
{
    struct coact__worker *worker = worker_here(runtime);
    if (worker == NULL || coact__worker_current(worker) == NULL) {
        return take_outside(runtime, rc);
    }
    // Its actor is counted, so nobody believes that all have ended.
    struct coact__slot_cache *cache = &runtime->slot_caches[worker->index];
    if (cache->count == 0) {
        fill(worker, cache, rc);
    }
    struct coact__actor *actor = cache->first;
    if (actor == NULL) {
        return NULL;
    }
    *rc = 0;
    cache->first = actor->next_free;
    cache->count--;
    coact__worker_count(&runtime->counts[worker->index].born, 1);
    return actor;
}

static void
put_back(struct coact_runtime *runtime, struct coact__worker *worker,
         struct coact__actor *actor)
{
    if (worker != NULL) {
        struct coact__slot_cache *cache = &runtime->slot_caches[worker->index];
        actor->next_free = cache->first;
        cache->first = actor;
        if (++cache->count >= 2 * bundle_of(runtime, worker) - 1) {
            spill(worker, cache);
        }
        return;
    }
    pthread_mutex_lock(&runtime->lock);
    actor->next_free = runtime->free_slots;
    runtime->free_slots = actor;
    pthread_mutex_unlock(&runtime->lock);
}

static void
count_gone(struct coact_runtime *runtime, struct coact__worker *worker)
{
    if (worker != NULL) {
        _Atomic uint64_t *gone = &runtime->counts[worker->index].gone;
        atomic_store_explicit(
            gone, atomic_load_explicit(gone, memory_order_relaxed) + 1,
            memory_order_release);
    } else {
        atomic_fetch_add_explicit(
            &runtime->counts[runtime->scheduler.worker_rows].gone, 1,
            memory_order_release);
    }
    if (COACT__UNLIKELY(
            atomic_load_explicit(&runtime->stopping, memory_order_acquire))) {
        pthread_mutex_lock(&runtime->lock);
        pthread_cond_broadcast(&runtime->gone);
        pthread_mutex_unlock(&runtime->lock);
        if (runtime->options.host_driven) {
            // The host may sleep while a thread of an actor's own ends.
            coact__poller_kick(&runtime->scheduler.poller);
        }
    }
}

void
coact__slot_give(struct coact__actor *actor)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    struct coact__worker *worker = worker_here(runtime);
    if (coact__generation_of(actor) != UINT32_MAX) {
        put_back(runtime, worker, actor);
    }
    count_gone(runtime, worker);
}

uint64_t
coact__count_alive(struct coact_runtime *runtime)
{
    uint64_t gone = 0;
    uint64_t born = 0;
    for (uint32_t i = 0; i <= runtime->scheduler.worker_rows; i++) {
        gone += atomic_load_explicit(&runtime->counts[i].gone,
                                     memory_order_acquire);
    }
    for (uint32_t i = 0; i <= runtime->scheduler.worker_rows; i++) {
        born += atomic_load_explicit(&runtime->counts[i].born,
                                     memory_order_relaxed);
    }
    return born - gone;
}
