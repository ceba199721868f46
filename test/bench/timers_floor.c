/*
 * timers_floor.c - what the stacks of a crowd of sleepers cost the machine.
 *
 * The memory of the benchmark without any of its work: each of n has a stack with
 * a guard and a slot, of which a sleeper's lines are written; then those lines are
 * read once more, in the order of the deadlines, and the stack is put back.  There
 * are no actors, no timers and no messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/stack.h"
#include "test/bench/timers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE 64
#define LINES 5 /* of the stack of one that sleeps */

/* As large as an actor's. */
struct slot {
    struct coact__stack stack;
    char rest[256 - sizeof(struct coact__stack)];
};

static struct slot *
map_slots(int64_t n)
{
    size_t bytes = (size_t)n * sizeof(struct slot);
    struct slot *slots =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bench_must(slots != MAP_FAILED ? 0 : -ENOMEM, "map");
    madvise(slots, bytes, MADV_HUGEPAGE);
    return slots;
}

/* The deadlines in microseconds, each with its number below, in order. */
static int64_t *
order_of(int64_t n)
{
    int64_t *order = bench_alloc(n, sizeof(*order));
    for (int64_t i = 0; i < n; i++) {
        order[i] = (int64_t)bench_nap_us(i) << 32 | i;
    }
    bench_sort(order, n);
    return order;
}

static void
fall_asleep(struct coact__stacks *stacks, struct slot *slot)
{
    bench_must(coact__stacks_get(stacks, &slot->stack, NULL), "stack");
    char *top = (char *)slot->stack.low + slot->stack.bytes;
    for (int line = 1; line <= LINES; line++) {
        top[-line * LINE] = 1;
    }
    memset(slot->rest, 1, sizeof(slot->rest));
}

static int64_t
wake(struct coact__stacks *stacks, struct slot *slot)
{
    const char *top = (const char *)slot->stack.low + slot->stack.bytes;
    int64_t sum = 0;
    for (int line = 1; line <= LINES; line++) {
        sum += top[-line * LINE];
    }
    for (size_t at = 0; at < sizeof(slot->rest); at += LINE) {
        sum += slot->rest[at];
    }
    coact__stacks_put(stacks, &slot->stack);
    return sum;
}

void
bench_timers_floor(struct bench_run *run)
{
    struct coact__stacks *stacks;
    bench_must(
        coact__stacks_new(&(const struct coact__stacks_options){0}, &stacks),
        "stacks");
    struct slot *slots = map_slots(run->n);
    int64_t *order = order_of(run->n);
    int64_t cpu = bench_cpu_ns(), start = coact_now_ns();
    for (int64_t i = 0; i < run->n; i++) {
        fall_asleep(stacks, &slots[i]);
    }
    int64_t sum = 0;
    for (int64_t i = 0; i < run->n; i++) {
        sum += wake(stacks, &slots[order[i] & UINT32_MAX]);
    }
    bench_finish(run, run->n, start);
    bench_check(sum == run->n * (LINES + 4), "every line is read once");
    bench_timers_cpu(run, cpu);
    free(order);
    munmap(slots, (size_t)run->n * sizeof(*slots));
    coact__stacks_free(stacks);
}
