/*
 * runq.c - the run queue of one worker: it pushes and pops, others take.
 *
 * Positions count from 0 and never come back; the slot of a position is its
 * remainder.  Those from head up to tail are queued.  tail is moved by the owner
 * alone, and moving it publishes a slot.  head is moved by compare-and-swap,
 * and moving it is what takes: whoever moves head from h to h + n owns those n.
 *
 *     slots   . . 5 6 7 8 . .        head 5, tail 9
 *
 * Invariants
 *   N1  tail - head <= SLOTS, modulo 2^32, so positions may wrap around.
 *   N2  A slot is written only by the owner, and only while its position is
 *       not before tail; it then keeps its value until head has passed it.
 *   N3  A taker copies the slots first and moves head afterwards: if head is
 *       still where it was when he read it, nobody has taken them and, by N2,
 *       nobody has overwritten them.
 *   N4  A taker may read head and tail at different times, so their distance
 *       can be anything.  A distance above SLOTS is torn: he reads again.  Any
 *       other is safe: tail was published, and head is checked by N3.
 *
 * N3 has one hole of a size that we accept: a taker that is not run while head
 * moves by a multiple of 2^32 exactly would find it "still where it was".
 *
 * Memory orders, by what the pair protects
 *   task    P4 release -> T2 acquire.  What the owner wrote in the tasks, and
 *           in the slots of the positions before tail.
 *   slot    T4 release -> P2 acquire.  The taker's reads of the slots come
 *           before the owner's next writes to them (N2).  Between them other
 *           takers may move head; their RMWs extend the release sequence.
 *           What would break is a read that sees a write of the future;
 *           no detector can show that, so this pair is argued, not tested.
 *   P1, O1 are relaxed: the owner reads what it wrote itself.  P3 is relaxed:
 *           P4 publishes it.
 *   T1, O2 are relaxed: an old head is found out by T4 or O3.  T3 is relaxed:
 *           T2 has ordered it.  T4 is relaxed when it fails: we begin again.
 *   O3 is relaxed: the owner's reads precede its own writes anyway, and as an
 *           RMW it goes on with the release sequence of an earlier T4.
 *   L1, L2 are relaxed: a count that may be out of date guards nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/runq.h"

#define SLOTS ((uint32_t)COACT__RUNQ_SLOTS)
#define SLOT_MASK (SLOTS - 1)

/* take_all moves head by as many at a time: they are copied to the stack. */
#define CHUNK 32u

_Static_assert(COACT__RUNQ_SLOTS >= 2, "a full ring has two halves");
_Static_assert((COACT__RUNQ_SLOTS & (COACT__RUNQ_SLOTS - 1)) == 0,
               "positions wrap at 2^32, slots must wrap with them");

void
coact__runq_init(struct coact__runq *q)
{
    atomic_init(&q->head, 0);
    atomic_init(&q->tail, 0);
    for (uint32_t i = 0; i < SLOTS; i++) {
        atomic_init(&q->slots[i], NULL);
    }
}

static struct coact__runnable *
slot_read(const struct coact__runq *q, uint32_t position)
{
    return atomic_load_explicit(&q->slots[position & SLOT_MASK],
                                memory_order_relaxed); // T3
}

static void
slot_write(struct coact__runq *q, uint32_t position, struct coact__runnable *r)
{
    atomic_store_explicit(&q->slots[position & SLOT_MASK], r,
                          memory_order_relaxed); // P3
}

/* How many slots from tail on the owner may write. */
static uint32_t
room_at(const struct coact__runq *q, uint32_t tail)
{
    uint32_t head =
        atomic_load_explicit(&q->head, memory_order_acquire); // P2 (explained)
    return SLOTS - (tail - head);
}

static void
publish(struct coact__runq *q, uint32_t tail)
{
    atomic_store_explicit(&q->tail, tail, memory_order_release); // P4
}

/* The ring is full, so head is SLOTS behind tail.  False if it is not full any
   more: somebody has taken from it.  The slots are read after head has moved,
   which only their writer may do. */
static bool
spill_half(struct coact__runq *q, uint32_t tail, struct coact__batch *overflow)
{
    uint32_t head = tail - SLOTS;
    uint32_t was = head;
    if (!atomic_compare_exchange_strong_explicit(
            &q->head, &was, head + SLOTS / 2, memory_order_relaxed,
            memory_order_relaxed)) { // O3
        return false;
    }
    for (uint32_t i = 0; i < SLOTS / 2; i++) {
        coact__batch_append(overflow, slot_read(q, head + i));
    }
    return true;
}

bool
coact__runq_push(struct coact__runq *q, struct coact__runnable *r,
                 struct coact__batch *overflow)
{
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed); // P1
    while (room_at(q, tail) == 0) {
        if (spill_half(q, tail, overflow)) {
            coact__batch_append(overflow, r);
            return false;
        }
    }
    slot_write(q, tail, r);
    publish(q, tail + 1);
    return true;
}

struct coact__runnable *
coact__runq_pop(struct coact__runq *q)
{
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed); // O1
    uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed); // O2
    while (head != tail) {
        struct coact__runnable *r = slot_read(q, head);
        if (atomic_compare_exchange_weak_explicit(&q->head, &head, head + 1,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) { // O3
            return r;
        }
    }
    return NULL;
}

/* How many are queued, and from where on (N4). */
static uint32_t
look(const struct coact__runq *q, uint32_t *head)
{
    for (;;) {
        *head = atomic_load_explicit(&q->head, memory_order_relaxed); // T1
        uint32_t tail =
            atomic_load_explicit(&q->tail, memory_order_acquire); // T2
        if (tail - *head <= SLOTS) {
            return tail - *head;
        }
    }
}

/* Take n from *head on, whose slots have been copied (N3).  If somebody was
   faster, *head becomes where it is now. */
static bool
// NOLINTNEXTLINE(readability-non-const-parameter): the swap writes to it
take(struct coact__runq *q, uint32_t *head, uint32_t n)
{
    return atomic_compare_exchange_strong_explicit(
        &q->head, head, *head + n, memory_order_release,
        memory_order_relaxed); // T4 (explained)
}

struct coact__runnable *
coact__runq_steal(struct coact__runq *own, struct coact__runq *victim)
{
    uint32_t tail =
        atomic_load_explicit(&own->tail, memory_order_relaxed); // P1
    uint32_t fits = room_at(own, tail) + 1; /* one is not stored */
    for (;;) {
        uint32_t head;
        uint32_t count = look(victim, &head);
        uint32_t n = count - count / 2;
        if (n == 0) {
            return NULL;
        }
        if (n > fits) {
            n = fits;
        }
        struct coact__runnable *r = slot_read(victim, head);
        for (uint32_t i = 1; i < n; i++) {
            slot_write(own, tail + i - 1, slot_read(victim, head + i));
        }
        if (take(victim, &head, n)) {
            if (n > 1) {
                publish(own, tail + n - 1);
            }
            return r;
        }
    }
}

uint32_t
coact__runq_take_all(struct coact__runq *q, struct coact__batch *out)
{
    struct coact__runnable *copy[CHUNK];
    uint32_t before = out->count;
    uint32_t head;
    uint32_t end = look(q, &head);
    end += head;
    /* Others may move head past the end: then the distance is not in range. */
    while (end - head - 1 < SLOTS) {
        uint32_t n = end - head < CHUNK ? end - head : CHUNK;
        for (uint32_t i = 0; i < n; i++) {
            copy[i] = slot_read(q, head + i);
        }
        if (!take(q, &head, n)) {
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            coact__batch_append(out, copy[i]);
        }
        head += n;
    }
    return out->count - before;
}

uint32_t
coact__runq_length(const struct coact__runq *q)
{
    uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed); // L1
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed); // L2
    int32_t length = (int32_t)(tail - head);
    /* The two were read at different times.  A head newer than tail: there was
       nothing left.  A tail newer than head: there was something. */
    if (length < 0) {
        return 0;
    }
    return (uint32_t)length <= SLOTS ? (uint32_t)length : SLOTS;
}
