/*
 * report.h - the result, for people and for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORDCOUNT_REPORT_H
#define WORDCOUNT_REPORT_H

#include "desk.h"

#include <stdint.h>

/* The most frequent words and the totals, to standard output.  0 or a code. */
int report_print(const struct job *job, int64_t elapsed_ns);

/* Every word to a file, sorted by its bytes.  0 or a code. */
int report_write_all(const struct job *job, const char *path);

#endif
