/*
 * suite.h - a test binary from a list of Check tests.
 *
 *   START_TEST(an_empty_queue_has_no_first) { … }
 *   END_TEST
 *   SUITE_MAIN("queue", an_empty_queue_has_no_first, …)
 *
 * The binary runs every test in a process of its own.  --list prints the names,
 * one a line; --only PATTERN (a shell pattern, or a part of the name) runs some.
 * COACT_TEST_TIMEOUT is the seconds that one test may take (10).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_SUITE_H
#define COACT_TEST_SUITE_H

#include <check.h>
#include <stddef.h>

/* Run what the arguments ask for; the result is main's. */
int suite_main(int argc, char **argv, const char *name,
               const TTest *const *tests, size_t count);

#define SUITE_MAIN(name, ...)                                                  \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        const TTest *tests[] = {__VA_ARGS__};                                  \
        return suite_main(argc, argv, name, tests,                             \
                          sizeof(tests) / sizeof(tests[0]));                   \
    }

#endif
