/*
 * options.h - what the user wants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_OPTIONS_H
#define WORDCOUNT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum exit_code {
    EXIT_ALL_IS_WELL = 0,
    EXIT_NOT_ALL_READ = 1,
    EXIT_USAGE = 2, /* also: there is no such directory */
    EXIT_FAILED = 3 /* no result, or nowhere to write it */
};

enum { WORKERS_MAX = 256 };

struct options {
    const char *root;
    const char *all; /* the file for all words; NULL: none */
    uint32_t workers, top;
    int64_t chaos_ms; /* 0: none */
    bool in_threads, is_quiet, wants_help, wants_version;
};

extern const char options_usage[];
extern const char options_version[];

/* True, or a line on standard error that says what is wrong. */
bool options_parse(struct options *options, int argc, char **argv);

#endif
