/*
 * timers.c - a crowd of sleepers, of 0 to 5 s each: how late they wake, and
 * the CPU time that it takes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/timers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct nap {
    boss_ref boss;
    int64_t asked_ns;
    int64_t *late_ns; /* the result */
};

COACT_MAILBOX(napper, ping);

static void
napper_body(napper_self self, void *arg)
{
    (void)self;
    // Read while it is hot: when the sleeper wakes, a million others have been there.
    struct nap nap = *(const struct nap *)arg;
    int64_t start = coact_now_ns();
    bench_must(coact_sleep(start + nap.asked_ns), "sleep");
    *nap.late_ns = coact_now_ns() - start - nap.asked_ns;
    bench_must(coact_send(nap.boss, done, .value = 1), "send");
}

static void
report_naps(struct bench_run *run, int64_t *late)
{
    double sum = 0;
    for (int64_t i = 0; i < run->n; i++) {
        sum += (double)late[i];
    }
    bench_sort(late, run->n);
    bench_check(late[0] >= 0, "nobody wakes early");
    bench_figure(run, "mean_us", sum / (double)run->n / 1e3, 1);
    bench_figure(run, "p99_us", bench_quantile_us(late, run->n, 0.99), 1);
}

enum { BATCHES = 64, FAULTS = 256 /* in each */ };

static void
touch(char *at, size_t pages, size_t page)
{
    for (size_t i = 0; i < pages; i++) {
        ((volatile char *)at)[i * page] = 1;
    }
}

/* What the kernel takes for the first touch of a page, as a stack's is touched:
   each sleeper has one, and no scheduler can do without.  In memory that has been
   in use, but is in no cache any more: what a machine's host takes to find a page
   is another thing.  The median of batches. */
static double
fault_us(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t batch_bytes = FAULTS * page, bytes = BATCHES * batch_bytes;
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bench_must(at != MAP_FAILED ? 0 : -ENOMEM, "map");
    madvise(at, bytes, MADV_NOHUGEPAGE);
    touch(at, BATCHES * FAULTS, page);
    madvise(at, bytes, MADV_DONTNEED);
    int64_t took[BATCHES];
    for (size_t batch = 0; batch < BATCHES; batch++) {
        int64_t before = bench_cpu_ns();
        touch(at + batch * batch_bytes, FAULTS, page);
        took[batch] = bench_cpu_ns() - before;
    }
    munmap(at, bytes);
    bench_sort(took, BATCHES);
    return bench_quantile_us(took, BATCHES, 0.5) / FAULTS;
}

void
bench_timers_cpu(struct bench_run *run, int64_t before)
{
    double cpu_s = (double)(bench_cpu_ns() - before) / 1e9;
    double fault = fault_us();
    bench_figure(run, "cpu_s", cpu_s, 2);
    bench_figure(run, "fault_us", fault, 2);
    bench_figure(run, "cpu_net_s", cpu_s - fault * (double)run->n / 1e6, 2);
}

void
bench_timers(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    if (run->variant[0] != '\0') {
        bench_timers_floor(run);
        return;
    }
    struct nap *naps = bench_alloc(run->n, sizeof(*naps));
    int64_t *late = bench_alloc(run->n, sizeof(*late));
    int64_t cpu = bench_cpu_ns(), start = coact_now_ns();
    for (int64_t i = 0; i < run->n; i++) {
        naps[i] = (struct nap){{self.ref}, COACT_US(bench_nap_us(i)), &late[i]};
        late[i] = -1;
        napper_ref napper;
        bench_must(coact_spawn(napper, &napper, napper_body, &naps[i]),
                   "spawn");
    }
    int64_t awake = bench_collect(self, run->n);
    bench_finish(run, run->n, start);
    bench_check(awake == run->n, "every sleeper wakes once");
    bench_timers_cpu(run, cpu);
    report_naps(run, late);
    free(late);
    free(naps);
}
