/*
 * main.c - coact-bench BENCH [N] [VARIANT]: run one benchmark, print one line.
 *
 * The host thread starts a runtime, spawns the benchmark's boss, waits for its
 * end and stops the runtime.  Every run is a process of its own, so that none
 * profits from what another has warmed up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

#include <coact/runtime.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, EXIT_NO_SUCH_BENCH = 3 };

static const struct bench {
    const char *name;
    void (*body)(boss_self self, void *run);
    int64_t n;
    const char *variants; /* "|a|b|"; the first is the plain one */
    const char *what;
} benches[] = {
    {"pingpong", bench_pingpong, 10000000, "||server|",
     "round trips between two actors"},
    {"pairs", bench_pairs, 200000, "||",
     "round trips of each of 64 pairs of actors"},
    {"ring", bench_ring, 20000000, "||server|",
     "hops of one token over 1000 actors"},
    {"spawn", bench_spawn, 5000000, "||",
     "actors that send their parent one message and end"},
    {"skynet", bench_skynet, 1000000, "||",
     "leaves of a tree of ten children a node; a power of ten"},
    {"fanin", bench_fanin, 500000, "||unbounded|",
     "messages from each of 64 producers to one consumer"},
    {"big", bench_big, 20000, "||",
     "pings by each of 512 actors to random others"},
    {"pool", bench_pool, 20000, "||", "rounds of 64 jobs of 1.2 us"},
    {"idle", bench_idle, 1000000, "||server|hibernate|",
     "actors parked in receive"},
    {"latency", bench_latency, 2000,
     "|yield|calm|hog|blocked|yield-interactive|hog-interactive|"
     "blocked-interactive|",
     "sleeps of 1 ms among 64 actors that compute"},
    {"timers", bench_timers, 1000000, "||floor|", "sleepers of 0 to 5 s"},
    {"restarts", bench_restarts, 20000, "||",
     "crashes of one supervised child"},
};

enum { BENCHES = sizeof(benches) / sizeof(benches[0]) };

static void
print_list(FILE *to)
{
    fprintf(to, "%-10s %9s  %-16s %s\n", "BENCH", "N", "VARIANT", "N counts");
    for (int i = 0; i < BENCHES; i++) {
        const struct bench *b = &benches[i];
        const char *variants = b->variants + 1;
        fprintf(to, "%-10s %9" PRId64 "  %-16.*s %s\n", b->name, b->n,
                (int)strlen(variants) - 1, variants, b->what);
    }
}

static void
print_help(void)
{
    printf(
        "coact-bench BENCH [N] [VARIANT]\n\n"
        "Runs one benchmark and prints one line of JSON.  Without N, or with "
        "0, the N\nof the table; without VARIANT, the first one.  THREADS is "
        "the number of workers (2).\n"
        "Exit: 0 done, 1 wrong result or failed, 2 wrong usage, 3 no such "
        "benchmark or variant.\n\n");
    print_list(stdout);
}

static const struct bench *
find_bench(const char *name)
{
    for (int i = 0; i < BENCHES; i++) {
        if (strcmp(benches[i].name, name) == 0) {
            return &benches[i];
        }
    }
    fprintf(stderr, "coact-bench: no benchmark %s; there are\n", name);
    print_list(stderr);
    exit(EXIT_NO_SUCH_BENCH);
}

/* The variant of that name; NULL: the first one.  Lent by its bench. */
static const char *
find_variant(const struct bench *bench, const char *name)
{
    static char found[32];
    const char *at = bench->variants + 1;
    if (name != NULL) {
        snprintf(found, sizeof(found), "|%s|", name);
        at = strstr(bench->variants, found);
        if (at == NULL || strchr(name, '|') != NULL) {
            fprintf(stderr, "coact-bench: %s has no variant %s; see --help\n",
                    bench->name, name);
            exit(EXIT_NO_SUCH_BENCH);
        }
        at++;
    }
    snprintf(found, sizeof(found), "%.*s", (int)strcspn(at, "|"), at);
    return found;
}

static int64_t
parse_number(const char *text, const char *what, int64_t most)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0 ||
        value > most) {
        fprintf(stderr, "coact-bench: %s is '%s', not 0 to %" PRId64 "\n", what,
                text, most);
        exit(EXIT_USAGE);
    }
    return value;
}

int64_t
bench_collect(boss_self self, int64_t count)
{
    int64_t sum = 0;
    while (count > 0) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(done, m): {
            sum += m->value;
            count--;
        } break;
        }
    }
    return sum;
}

static void
run_boss(struct bench_run *run, const struct bench *bench)
{
    boss_ref boss;
    bench_must(coact_spawn_with(boss, &boss, bench->body, run,
                                .label = bench->name, .role = run->boss_role),
               "spawn");
    struct coact_reason reason;
    bench_must(coact_join(boss.ref, COACT_FOREVER, &reason), "join");
    // A boss that was faster than our join is nobody's by then: no reason.
    if (run->ops == 0) {
        fprintf(stderr, "coact-bench: %s ended as %s: %s\n", run->bench,
                coact_reason_name(reason.code), reason.text);
        exit(1);
    }
}

static void
run_bench(struct bench_run *run, const struct bench *bench)
{
    struct coact_runtime *runtime;
    const struct coact_runtime_options options = {
        .workers = run->threads,
        // There, actors fail or do not come back, and on purpose.
        .log_level =
            bench->body == bench_restarts || bench->body == bench_latency
                ? COACT_LOG_NONE
                : COACT_LOG_DEFAULT,
    };
    bench_must(coact_start(&options, &runtime), "start");
    bench_must(coact_attach(runtime), "attach");
    if (strstr(run->variant, "-interactive") != NULL) {
        run->boss_role = coact_role_named("interactive");
    }
    run_boss(run, bench);
    bench_print(run);
    coact_detach();
    bench_must(coact_stop(runtime, coact_in_ms(30000)), "stop");
    bench_must(coact_free(runtime), "free");
}

int
main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: coact-bench BENCH [N] [VARIANT], or --help\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_help();
        return 0;
    }
    const struct bench *bench = find_bench(argv[1]);
    const char *threads = getenv("THREADS");
    struct bench_run run = {
        .bench = bench->name,
        .variant = find_variant(bench, argc > 3 ? argv[3] : NULL),
        .threads = 2,
        .n = argc > 2 ? parse_number(argv[2], "N", INT32_MAX) : 0,
    };
    if (threads != NULL && threads[0] != '\0') {
        run.threads = (uint32_t)parse_number(threads, "THREADS", 1024);
    }
    if (run.threads == 0) {
        fprintf(stderr, "coact-bench: THREADS must be at least 1\n");
        return EXIT_USAGE;
    }
    if (run.n == 0) {
        run.n = bench->n;
    }
    run_bench(&run, bench);
    return 0;
}
