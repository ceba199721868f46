/*
 * options.c - see options.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char options_usage[] =
    "usage: wordcount [DIR] [options]\n"
    "\n"
    "Counts the words of all regular files below DIR (/usr/include), in "
    "worker\n"
    "processes under a supervisor.  A word is a run of the letters A to Z, "
    "its\n"
    "case does not matter.  Symbolic links below DIR are not followed.\n"
    "\n"
    "  --workers N    so many worker processes, up to 256 (4)\n"
    "  --top N        print the N most frequent words (20)\n"
    "  --all FILE     write every word to FILE, as WORD<TAB>COUNT, in byte "
    "order\n"
    "  --chaos[=MS]   kill a random worker with SIGKILL every MS milliseconds\n"
    "                 (500); the result is the same\n"
    "  --threads      workers are actors in this process instead\n"
    "  --quiet        no progress\n"
    "  --help, --version\n"
    "\n"
    "Exit code: 0; 1 if something could not be read, or changed while it was\n"
    "read; 2 for a bad option or a missing DIR; 3 if the job failed or its "
    "result\n"
    "could not be written; 130 and 143 after SIGINT and SIGTERM.\n";

const char options_version[] = "wordcount, a sample of coact\n";

static bool
number_of(const char *text, int64_t least, int64_t most, int64_t *out)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || number < least ||
        number > most) {
        return false;
    }
    *out = number;
    return true;
}

static bool
take_number(const char *name, const char *text, int64_t least, int64_t most,
            int64_t *out)
{
    if (number_of(text, least, most, out)) {
        return true;
    }
    fprintf(stderr,
            "wordcount: %s takes a number from %lld to %lld, not '%s'\n", name,
            (long long)least, (long long)most, text);
    return false;
}

static bool
take_option(struct options *options, int option)
{
    int64_t number = 0;
    switch (option) {
    case 'w':
        if (!take_number("--workers", optarg, 1, WORKERS_MAX, &number)) {
            return false;
        }
        options->workers = (uint32_t)number;
        return true;
    case 't':
        if (!take_number("--top", optarg, 0, UINT32_MAX, &number)) {
            return false;
        }
        options->top = (uint32_t)number;
        return true;
    case 'c':
        options->chaos_ms = 500;
        return optarg == NULL ||
               take_number("--chaos", optarg, 1, 86400000, &options->chaos_ms);
    case 'a':
        options->all = optarg;
        return true;
    case 'T':
        options->in_threads = true;
        return true;
    case 'q':
        options->is_quiet = true;
        return true;
    case 'h':
        options->wants_help = true;
        return true;
    case 'v':
        options->wants_version = true;
        return true;
    default:
        return false; // getopt has said why
    }
}

static const struct option known[] = {{"workers", required_argument, NULL, 'w'},
                                      {"top", required_argument, NULL, 't'},
                                      {"all", required_argument, NULL, 'a'},
                                      {"chaos", optional_argument, NULL, 'c'},
                                      {"threads", no_argument, NULL, 'T'},
                                      {"quiet", no_argument, NULL, 'q'},
                                      {"help", no_argument, NULL, 'h'},
                                      {"version", no_argument, NULL, 'v'},
                                      {NULL, 0, NULL, 0}};

bool
options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.workers = 4, .top = 20};
    for (;;) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): the others are not born yet
        int option = getopt_long(argc, argv, "", known, NULL);
        if (option == -1) {
            break;
        }
        if (!take_option(options, option)) {
            fputs("wordcount --help tells more\n", stderr);
            return false;
        }
    }
    if (argc - optind > 1) {
        fprintf(stderr, "wordcount: one directory at a time, not also '%s'\n",
                argv[optind + 1]);
        return false;
    }
    options->root = optind < argc ? argv[optind] : "/usr/include";
    return true;
}
