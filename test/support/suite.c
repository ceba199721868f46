/*
 * suite.c - run a list of Check tests, one line for each.
 *
 * Every test is run by a runner of its own, so that its line is out before the
 * next one starts: a binary that is killed half-way has told what it had done.
 * Check forks for each; the page that holds the seed is shared with the child,
 * because the parent is the one who is left to print it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include "test/support/seed.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { DEFAULT_SECONDS = 10 };

/* What the child tells of itself. */
struct progress {
    bool has_seed;
    uint64_t seed;
};

static volatile struct progress *progress;

void
suite_seed(uint64_t seed)
{
    if (progress != NULL) {
        progress->seed = seed;
        progress->has_seed = true;
    }
}

bool
suite_seed_asked(uint64_t *seed)
{
    const char *text = getenv("COACT_SEED");
    if (text == NULL || *text == '\0') {
        return false;
    }
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    if (*end != '\0') {
        fprintf(stderr, "COACT_SEED is '%s', not a number\n", text);
        exit(2);
    }
    *seed = value;
    return true;
}

static double
seconds_allowed(void)
{
    const char *text = getenv("COACT_TEST_TIMEOUT");
    double seconds = text != NULL ? strtod(text, NULL) : 0;
    return seconds > 0 ? seconds : DEFAULT_SECONDS;
}

static bool
is_wanted(const char *name, const char *pattern)
{
    return pattern == NULL || strstr(name, pattern) != NULL ||
           fnmatch(pattern, name, 0) == 0;
}

static void
print_failure(const char *name, TestResult *result)
{
    printf("FAIL %s\n", name);
    printf("     %s:%d: %s\n", tr_lfile(result), tr_lno(result),
           tr_msg(result));
    uint64_t seed;
    if (progress->has_seed) {
        printf("     again: COACT_SEED=%" PRIu64 " test/run --only %s\n",
               progress->seed, name);
    } else if (suite_seed_asked(&seed)) {
        printf("     again: COACT_SEED=%" PRIu64 " test/run --only %s\n", seed,
               name);
    } else {
        printf("     again: test/run --only %s\n", name);
    }
}

static bool
run_one(const TTest *test, const char *suite_name)
{
    Suite *suite = suite_create(suite_name);
    TCase *tcase = tcase_create(test->name);
    tcase_set_timeout(tcase, seconds_allowed());
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
    progress->has_seed = false;

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    bool passed = srunner_ntests_failed(runner) == 0;
    if (passed) {
        printf("PASS %s\n", test->name);
    } else {
        TestResult **failures = srunner_failures(runner);
        print_failure(test->name, failures[0]);
        free(failures);
    }
    fflush(stdout);
    srunner_free(runner);
    return passed;
}

static int
usage(const char *program, FILE *out)
{
    fprintf(out,
            "usage: %s [--list | --only PATTERN]\n"
            "  --list          print the names of the tests, one a line\n"
            "  --only PATTERN  run those that match (a shell pattern, or a "
            "part of the name)\n"
            "Environment: COACT_TEST_TIMEOUT, seconds for one test (%d);\n"
            "COACT_SEED, the one seed to run, for tests that take seeds.\n",
            program, DEFAULT_SECONDS);
    return out == stdout ? 0 : 2;
}

static int
run_wanted(const char *name, const TTest *const *tests, size_t count,
           const char *pattern)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(tests[i]->name, pattern) && !run_one(tests[i], name)) {
            failed++;
        }
    }
    return failed == 0 ? 0 : 1;
}

int
suite_main(int argc, char **argv, const char *name, const TTest *const *tests,
           size_t count)
{
    const char *pattern = NULL;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++) {
            puts(tests[i]->name);
        }
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(argv[0], stdout);
    }
    if (argc == 3 && strcmp(argv[1], "--only") == 0) {
        pattern = argv[2];
    } else if (argc != 1) {
        return usage(argv[0], stderr);
    }
    void *page = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    progress = page;
    int rc = run_wanted(name, tests, count, pattern);
    progress = NULL;
    munmap(page, sizeof *progress);
    return rc;
}
