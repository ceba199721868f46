/*
 * million_test.c - a million actors at once, each with a guarded stack; and what
 * happens where there is no memory for more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/death.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Newer than Debian 12's headers. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define MANY 1000000
#define SAMPLE 1000 /* every so many are looked at closely */
#define NEEDED_KIB (8L << 20)

/* ---- What this machine has ----------------------------------------------- */

/* A line such as "MemAvailable:   123 kB"; -1: there is none. */
static long
kib_of(const char *path, const char *what)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (kib < 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, what, strlen(what)) == 0) {
            kib = strtol(line + strlen(what), NULL, 10);
        }
    }
    fclose(file);
    return kib;
}

static bool
has_light_guards(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *at = mmap(NULL, page, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    bool has = madvise(at, page, MADV_GUARD_INSTALL) == 0;
    munmap(at, page);
    return has;
}

/* NULL: there is all that is needed. */
static const char *
why_not(void)
{
    if (!has_light_guards()) {
        return "this kernel does not know MADV_GUARD_INSTALL";
    }
    if (kib_of("/proc/meminfo", "MemAvailable:") < NEEDED_KIB) {
        return "there are less than 8 GiB of memory available";
    }
    return NULL;
}

static long
count_mappings(void)
{
    long lines = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    ck_assert_ptr_nonnull(file);
    for (int c = getc(file); c != EOF; c = getc(file)) {
        lines += c == '\n';
    }
    fclose(file);
    return lines;
}

/* ---- A million ----------------------------------------------------------- */

static _Atomic uint32_t awake, unguarded;
static _Atomic uint64_t total;

/* Does a page that may not be touched follow below this stack?  The kernel is
   asked, which says so instead of dying of it. */
static bool
is_guarded(int fd, const char *here, size_t stack_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t below = page; below <= stack_bytes; below += page) {
        if (write(fd, here - below, 1) < 0) {
            return errno == EFAULT;
        }
    }
    return false;
}

static void
one_of_many(peer_self self, void *arg)
{
    int fd = *(int *)arg;
    char here = 0;
    if (awake++ % SAMPLE == 0 && !is_guarded(fd, &here, (size_t)64 << 10)) {
        unguarded++;
    }
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(item, m):
            total += m->number;
            break;
        case COACT_ON_CANCELLED:
            return;
        }
    }
}

static void
await_count(const _Atomic uint64_t *count, uint64_t expected)
{
    int64_t deadline = coact_in_ms(200000);
    while (*count < expected) {
        ck_assert_int_lt(coact_now_ns(), deadline);
        usleep(1000);
    }
    ck_assert_uint_eq(*count, expected);
}

START_TEST(a_million_actors_live_each_with_a_guard_and_few_mappings)
{
    const char *reason = why_not();
    if (reason != NULL) {
        printf("# skipped: %s\n", reason);
        return;
    }
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    struct coact_runtime *runtime = start_runtime(2);
    peer_ref *all = calloc(MANY, sizeof(*all));
    ck_assert_ptr_nonnull(all);
    for (uint32_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(coact_spawn(peer, &all[i], one_of_many, &fd), 0);
    }
    // Each is alive if it hears of it.
    for (uint32_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(coact_send(all[i], item, .number = 1), 0);
    }
    await_count(&total, MANY);
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_alive, MANY);
    ck_assert_uint_ge(stats.stacks_in_use, MANY);
    ck_assert_str_eq(stats.stack_guards, "madvise");
    ck_assert_uint_eq(unguarded, 0);
    long mappings = count_mappings();
    printf("# %u actors: %ld mappings, %ld MiB resident\n", MANY, mappings,
           kib_of("/proc/self/status", "VmRSS:") >> 10);
    ck_assert_int_lt(mappings, 2000);
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(200000)), 0);
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_alive, 0);
    ck_assert_uint_eq(stats.actors_failed, 0);
    coact_detach();
    ck_assert_int_eq(coact_free(runtime), 0);
    free(all);
    close(fd);
}
END_TEST

/* ---- No more ------------------------------------------------------------- */

#define ROOM_KIB (256L << 10)
#define TOO_MANY 50000

/* In a child process: what is wrong becomes its exit status. */
#define MUST(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%d: not so: %s", __LINE__, #condition);           \
            _exit(2);                                                          \
        }                                                                      \
    } while (0)

static void
leave_room(long kib)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_AS, &limit) == 0);
    long used = kib_of("/proc/self/status", "VmSize:");
    limit.rlim_cur = kib < 0 ? limit.rlim_max : (rlim_t)(used + kib) << 10;
    MUST(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* Spawn until somebody says that there is no memory: the spawn, or the actor's
   end.  How many live. */
static uint32_t
fill_memory(peer_ref *all, uint32_t count, uint32_t *refused)
{
    uint32_t living = 0;
    for (uint32_t i = 0; i < count; i++) {
        int rc = coact_spawn(peer, &all[living], idle_body, NULL);
        MUST(rc == 0 || rc == -ENOMEM);
        if (rc < 0) {
            *refused += 1;
            continue;
        }
        living++;
    }
    return living;
}

static void
end_all(const peer_ref *all, uint32_t count, uint32_t *no_memory)
{
    for (uint32_t i = 0; i < count; i++) {
        struct coact_reason reason;
        coact_kill(all[i].ref);
        int rc = coact_join(all[i].ref, IN_TIME, &reason);
        MUST(rc == 0);
        MUST(reason.code == COACT_KILLED || reason.code == COACT_NOPROC ||
             reason.code == -ENOMEM);
        *no_memory += reason.code == COACT_NOPROC || reason.code == -ENOMEM;
    }
}

static void
runs_out_of_memory(void *arg)
{
    (void)arg;
    static peer_ref all[TOO_MANY];
    struct coact_runtime_options options = {
        .workers = 2, .log = log_nothing, .max_actors = 2 * TOO_MANY};
    struct coact_runtime *runtime = NULL;
    MUST(coact_start(&options, &runtime) == 0);
    MUST(coact_attach(runtime) == 0);
    leave_room(ROOM_KIB);
    uint32_t refused = 0, no_memory = 0;
    uint32_t spawned = fill_memory(all, TOO_MANY, &refused);
    struct coact_runtime_stats stats;
    // Those that got no stack end of it; those that have one stay.
    int64_t deadline = IN_TIME;
    do {
        coact_stats(runtime, &stats);
        usleep(1000);
        MUST(coact_now_ns() < deadline);
    } while (stats.actors_alive >= TOO_MANY ||
             stats.actors_alive > stats.stacks_in_use);
    MUST(stats.actors_alive > 100);
    MUST(refused + stats.actors_failed > 0);
    end_all(all, spawned, &no_memory);
    MUST(refused + no_memory > 0);
    // It goes on with what was given back.
    refused = no_memory = 0;
    spawned = fill_memory(all, 1000, &refused);
    MUST(refused == 0 && spawned == 1000);
    struct answer a = {0};
    peer_ref oracle;
    MUST(coact_spawn(peer, &oracle, oracle_body, NULL) == 0);
    MUST(coact_ask(oracle, question, &a, IN_TIME, .n = 1) == 0);
    MUST(a.n == 2);
    leave_room(-1);
    MUST(coact_stop(runtime, IN_TIME) == 0);
    coact_detach();
    MUST(coact_free(runtime) == 0);
}
START_TEST(without_memory_a_spawn_or_an_end_says_so_and_later_it_goes_on)
{
    char words[200];
    int end = death_with_words(runs_out_of_memory, NULL, words, sizeof(words));
    ck_assert_msg(end == 0, "%d: %s", end, words);
}
END_TEST

int
main(int argc, char **argv)
{
    const TTest *tests[] = {
        a_million_actors_live_each_with_a_guard_and_few_mappings,
        without_memory_a_spawn_or_an_end_says_so_and_later_it_goes_on};
    // Machines that are loaded take their time.
    setenv("COACT_TEST_TIMEOUT", "300", 1);
    return suite_main(argc, argv, "million", tests,
                      sizeof(tests) / sizeof(tests[0]));
}
