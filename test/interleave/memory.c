/*
 * memory.c - what a load may answer, with strong and with weak memory.
 *
 * Strong: the last store.  Memory itself is all that is needed.
 *
 * Weak: each location keeps its last few stores in order, and each store knows
 * who made it, when on his clock, and what an acquire that reads it learns.  A
 * thread's clock says how far it knows every thread to have come.  A load may
 * answer with any store but those older than
 *   - one that this thread has read or written before (coherence), or
 *   - one that happens before the load, by the clocks.
 * A read-modify-write reads the last store always, and carries on the release
 * sequence of what it replaces; so does a compare-and-swap, failed or not.
 *
 * This is C11 but for what would need foresight or is of no use to us: a load
 * never sees a store that is made later, stores go to the end of a location's
 * order, consume is acquire, and a seq_cst load answers with the last store.
 * What it finds is possible; it does not find all that is possible.
 *
 * A barrier of all threads (membarrier) makes every thread know the last store of
 * every location.
 *
 * Plain data is checked by the same clocks: two accesses, one of them a write,
 * that no happens-before puts in order are a failure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/internal.h"
#include "test/interleave/shim.h"

#include <inttypes.h>
#include <string.h>

#define state interleave_state

enum {
    CLOCKS = 8,
    KEPT = 8,      /* stores of a location, a power of two */
    PLACES = 1024, /* of the table, a power of two */
    MOST = 512     /* locations in use */
};

struct store {
    uint64_t value;
    struct interleave_clock released; /* what an acquire learns */
    int16_t at;                       /* when, on the clock of */
    int8_t by;
};

struct location {
    const volatile void *address;
    uint32_t life;         /* the schedule that made it; else it is free */
    uint32_t stores;       /* ever made; the last is number stores - 1 */
    uint32_t seen[CLOCKS]; /* number of the newest that each thread knows */
    struct store kept[KEPT];
    /* For plain data: the last write, and the last read of each thread. */
    int16_t written_at;
    int8_t written_by;
    int16_t read_at[CLOCKS];
};

static struct {
    struct location table[PLACES];
    struct location *in_use[MOST];
    struct interleave_clock clocks[CLOCKS];
    uint32_t life;
    uint32_t used;
} memory;

/* ---- clocks ---- */

static struct interleave_clock *
own_clock(void)
{
    return &memory.clocks[state.current];
}

static void
join(struct interleave_clock *into, const struct interleave_clock *from)
{
    for (int i = 0; i < CLOCKS; i++) {
        into->at[i] = into->at[i] > from->at[i] ? into->at[i] : from->at[i];
    }
}

/* Has the running thread come after the moment `at` of thread `by`? */
static bool
knows(int by, int16_t at)
{
    return own_clock()->at[by] >= at;
}

static int16_t
tick(void)
{
    return ++own_clock()->at[state.current];
}

void
interleave_memory_reset(void)
{
    if (!state.weak) {
        return;
    }
    memory.life++;
    memory.used = 0;
    memset(memory.clocks, 0, sizeof(memory.clocks));
}

void
interleave_memory_hand_over(struct interleave_clock *clock)
{
    if (state.weak) {
        join(clock, own_clock());
        tick(); /* what we do from now on is not handed over */
    }
}

void
interleave_memory_take_over(const struct interleave_clock *clock)
{
    if (state.weak) {
        join(own_clock(), clock);
    }
}

/* ---- bytes ---- */

/* A size that the compiler knows is one instruction. */
static uint64_t
peek(const volatile void *object, size_t bytes)
{
    const void *from = (const void *)(uintptr_t)object;
    uint64_t value = 0;
    switch (bytes) {
    case 1:
        memcpy(&value, from, 1);
        break;
    case 2:
        memcpy(&value, from, 2);
        break;
    case 4:
        memcpy(&value, from, 4);
        break;
    default:
        memcpy(&value, from, 8);
        break;
    }
    return value;
}

static void
poke(volatile void *object, size_t bytes, uint64_t value)
{
    void *to = (void *)(uintptr_t)object;
    switch (bytes) {
    case 1:
        memcpy(to, &value, 1);
        break;
    case 2:
        memcpy(to, &value, 2);
        break;
    case 4:
        memcpy(to, &value, 4);
        break;
    default:
        memcpy(to, &value, 8);
        break;
    }
}

static uint64_t
cut(uint64_t value, size_t bytes)
{
    return bytes == 8 ? value : value & (((uint64_t)1 << (8 * bytes)) - 1);
}

/* ---- locations ---- */

static bool
acquires(memory_order order)
{
    return order == memory_order_acquire || order == memory_order_consume ||
           order == memory_order_acq_rel || order == memory_order_seq_cst;
}

static bool
releases(memory_order order)
{
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

/* A new location holds what setup left there, which everybody knows. */
static struct location *
location_of(const volatile void *address)
{
    uint64_t hash = ((uintptr_t)address >> 2) * 0x9E3779B97F4A7C15u;
    for (uint64_t i = hash >> 54;; i++) {
        struct location *l = &memory.table[i % PLACES];
        if (l->life == memory.life && l->address == address) {
            return l;
        }
        if (l->life != memory.life) {
            if (++memory.used > MOST) {
                interleave_fail("a schedule uses few locations", __FILE__,
                                __LINE__);
            }
            memory.in_use[memory.used - 1] = l;
            memset(l, 0, offsetof(struct location, kept));
            l->address = address;
            l->life = memory.life;
            l->written_by = 0;
            l->written_at = 0;
            memset(l->read_at, 0, sizeof(l->read_at));
            return l;
        }
    }
}

static struct location *
atomic_at(const volatile void *object, size_t bytes)
{
    struct location *l = location_of(object);
    if (l->stores == 0) {
        l->kept[0] = (struct store){.value = peek(object, bytes)};
        l->stores = 1;
    }
    return l;
}

static struct store *
last_store(struct location *l)
{
    return &l->kept[(l->stores - 1) % KEPT];
}

/* The number of the oldest store that the running thread may still read. */
static uint32_t
oldest_readable(const struct location *l)
{
    uint32_t number = l->stores - 1;
    uint32_t floor = l->stores > KEPT ? l->stores - KEPT : 0;
    if (l->seen[state.current] > floor) {
        floor = l->seen[state.current];
    }
    while (number > floor) {
        const struct store *s = &l->kept[number % KEPT];
        if (knows(s->by, s->at)) {
            break;
        }
        number--;
    }
    return number;
}

static void
add_store(struct location *l, uint64_t value, memory_order order,
          const struct interleave_clock *sequence)
{
    int16_t at = tick();
    struct store *s = &l->kept[l->stores % KEPT];
    s->value = value;
    s->by = (int8_t)state.current;
    s->at = at;
    if (sequence != NULL) {
        s->released = *sequence;
    } else {
        memset(&s->released, 0, sizeof(s->released));
    }
    if (releases(order)) {
        join(&s->released, own_clock());
    }
    l->seen[state.current] = l->stores++;
}

void
interleave_barrier(void)
{
    interleave_step();
    interleave_trace("makes a barrier for all");
    for (uint32_t i = 0; state.weak && i < memory.used; i++) {
        struct location *l = memory.in_use[i];
        for (int t = 0; l->stores > 0 && t < CLOCKS; t++) {
            l->seen[t] = l->stores - 1;
        }
    }
}

/* ---- operations ---- */

static bool
on_host(void)
{
    return state.current == INTERLEAVE_HOST;
}

static const char *
name_of(memory_order order)
{
    static const char *const names[] = {"relaxed", "consume", "acquire",
                                        "release", "acq_rel", "seq_cst"};
    return names[order];
}

uint64_t
shim_load(const volatile void *object, size_t bytes, memory_order order,
          struct shim_place place)
{
    interleave_step();
    uint64_t value = peek(object, bytes);
    const char *stale = "";
    if (state.weak && !on_host()) {
        struct location *l = atomic_at(object, bytes);
        uint32_t newest = l->stores - 1;
        uint32_t oldest =
            order == memory_order_seq_cst ? newest : oldest_readable(l);
        uint32_t number = newest;
        if (oldest < newest && interleave_draw(2) == 0) {
            number -= interleave_draw(newest - oldest) + 1;
            stale = ", not the last value";
        }
        const struct store *s = &l->kept[number % KEPT];
        l->seen[state.current] = number;
        value = s->value;
        if (acquires(order)) {
            join(own_clock(), &s->released);
        }
    }
    if (state.tracing) {
        interleave_trace("%s:%d load %s %s: %#" PRIx64 "%s", place.function,
                         place.line, place.what, name_of(order), value, stale);
    }
    return value;
}

void
shim_store(volatile void *object, size_t bytes, uint64_t value,
           memory_order order, struct shim_place place)
{
    interleave_step();
    value = cut(value, bytes);
    if (state.weak && !on_host()) {
        add_store(atomic_at(object, bytes), value, order, NULL);
    }
    poke(object, bytes, value);
    if (state.tracing) {
        interleave_trace("%s:%d store %s %s: %#" PRIx64, place.function,
                         place.line, place.what, name_of(order), value);
    }
}

/* The part that all read-modify-writes share: `was` is replaced by `now`. */
static void
replace(volatile void *object, size_t bytes, uint64_t now, memory_order order)
{
    if (state.weak && !on_host()) {
        struct location *l = atomic_at(object, bytes);
        struct interleave_clock sequence = last_store(l)->released;
        if (acquires(order)) {
            join(own_clock(), &sequence);
        }
        add_store(l, now, order, &sequence);
    }
    poke(object, bytes, now);
}

uint64_t
shim_rmw(volatile void *object, size_t bytes, enum shim_rmw how,
         uint64_t operand, memory_order order, struct shim_place place)
{
    interleave_step();
    uint64_t was = peek(object, bytes);
    uint64_t now = how == SHIM_SWAP  ? operand
                   : how == SHIM_ADD ? was + operand
                   : how == SHIM_SUB ? was - operand
                   : how == SHIM_OR  ? was | operand
                                     : was & operand;
    now = cut(now, bytes);
    replace(object, bytes, now, order);
    if (state.tracing) {
        interleave_trace("%s:%d change %s %s: %#" PRIx64 " to %#" PRIx64,
                         place.function, place.line, place.what, name_of(order),
                         was, now);
    }
    return was;
}

bool
shim_cas(volatile void *object, size_t bytes, void *expected, uint64_t desired,
         bool weak, memory_order success, memory_order failure,
         struct shim_place place)
{
    interleave_step();
    uint64_t was = peek(object, bytes);
    uint64_t wanted = peek(expected, bytes);
    uint64_t now = cut(desired, bytes);
    bool swaps = was == wanted;
    if (swaps && weak && !on_host() && interleave_draw(16) == 0) {
        swaps = false; /* as the weak form may, for no reason */
    }
    if (swaps) {
        replace(object, bytes, now, success);
    } else {
        if (state.weak && !on_host()) {
            struct location *l = atomic_at(object, bytes);
            l->seen[state.current] = l->stores - 1;
            if (acquires(failure)) {
                join(own_clock(), &last_store(l)->released);
            }
        }
        poke(expected, bytes, was);
    }
    if (state.tracing) {
        interleave_trace("%s:%d swap %s %s: %#" PRIx64 " to %#" PRIx64 "%s",
                         place.function, place.line, place.what,
                         name_of(swaps ? success : failure), wanted, now,
                         swaps ? "" : ", fails");
    }
    return swaps;
}

/* ---- plain data ---- */

void
interleave_wrote(const volatile void *address)
{
    if (!state.weak || on_host()) {
        return;
    }
    struct location *l = location_of(address);
    bool ordered = knows(l->written_by, l->written_at);
    for (int t = 0; t < CLOCKS; t++) {
        ordered = ordered && knows(t, l->read_at[t]);
    }
    l->written_by = (int8_t)state.current;
    l->written_at = tick();
    interleave_trace("writes plain data");
    if (!ordered) {
        interleave_fail("a write is ordered after other accesses", __FILE__,
                        __LINE__);
    }
}

void
interleave_read(const volatile void *address)
{
    if (!state.weak || on_host()) {
        return;
    }
    struct location *l = location_of(address);
    l->read_at[state.current] = tick();
    interleave_trace("reads plain data");
    if (!knows(l->written_by, l->written_at)) {
        interleave_fail("a read is ordered after the last write", __FILE__,
                        __LINE__);
    }
}
