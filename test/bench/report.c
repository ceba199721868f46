/*
 * report.c - the line of JSON, and what is measured of the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/report.h"

#include <coact/error.h>
#include <coact/time.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void
bench_finish(struct bench_run *run, int64_t ops, int64_t start_ns)
{
    run->ns = coact_now_ns() - start_ns;
    run->ops = ops;
}

void
bench_figure(struct bench_run *run, const char *name, double value,
             int decimals)
{
    size_t used = strlen(run->figures), room = sizeof(run->figures) - used;
    int more = snprintf(run->figures + used, room, ",\"%s\":%.*f", name,
                        decimals, value);
    bench_check(more > 0 && (size_t)more < room, "the figures fit in the line");
}

static int
compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void
bench_sort(int64_t *delays, int64_t count)
{
    qsort(delays, (size_t)count, sizeof(*delays), compare);
}

double
bench_quantile_us(const int64_t *sorted, int64_t count, double q)
{
    int64_t at = (int64_t)((double)count * q);
    return (double)sorted[at < count ? at : count - 1] / 1e3;
}

void
bench_print(const struct bench_run *run)
{
    double seconds = (double)run->ns / 1e9, ops = (double)run->ops;
    printf("{\"peer\":\"coact\",\"bench\":\"%s\",\"threads\":%" PRIu32
           ",\"n\":%" PRId64 ",\"seconds\":%.4f,\"ops_per_s\":%.0f"
           ",\"ns_per_op\":%.1f",
           run->bench, run->threads, run->n, seconds, ops / seconds,
           (double)run->ns / ops);
    if (run->variant[0] != '\0') {
        printf(",\"variant\":\"%s\"", run->variant);
    }
    printf("%s}\n", run->figures);
    fflush(stdout);
}

void
bench_must(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "coact-bench: %s: %s\n", what, coact_strerror(rc));
        _exit(1);
    }
}

void
bench_check(bool claim, const char *text)
{
    if (!claim) {
        fprintf(stderr, "coact-bench: wrong result: it is not so that %s\n",
                text);
        _exit(1);
    }
}

void *
bench_alloc(int64_t count, size_t item_bytes)
{
    void *room = calloc((size_t)count, item_bytes);
    bench_must(room != NULL ? 0 : -ENOMEM, "room for the results");
    return room;
}

int64_t
bench_resident_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    bench_must(status != NULL ? 0 : -EIO, "/proc/self/status");
    char line[256];
    int64_t kib = 0;
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtoll(line + 6, NULL, 10);
        }
    }
    fclose(status);
    return kib * 1024;
}

static int64_t
timeval_ns(struct timeval t)
{
    return COACT_SECONDS(t.tv_sec) + COACT_US(t.tv_usec);
}

int64_t
bench_cpu_ns(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return timeval_ns(used.ru_utime) + timeval_ns(used.ru_stime);
}

void
bench_spin(int64_t turns)
{
    uint64_t x = (uint64_t)turns | 1;
    for (int64_t i = 0; i < turns; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    // The compiler may not drop a computation whose result is wanted here.
    __asm__ volatile("" : : "r"(x));
}
