/*
 * log_lines.h - the log of one runtime: level, sink, and a limit for floods.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_LOG_LINES_H
#define COACT_RUNTIME_LOG_LINES_H

#include <coact/log.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define COACT__LOG_LINE 512

struct coact__log {
    enum coact_log_level level; /* lines below it are dropped */
    coact_log_sink *sink;
    void *context;
};

/* A kind of line that a fault could make a flood of: at most so many a second,
   and how many were held back. */
struct coact__log_limit {
    _Atomic int64_t second;
    _Atomic uint32_t lines, held_back;
};

#define COACT__LOG_PER_SECOND 10

void coact__log_init(struct coact__log *log, enum coact_log_level level,
                     coact_log_sink *sink, void *context);

bool coact__log_wants(const struct coact__log *log, enum coact_log_level level);

void coact__log_line(struct coact__log *log, enum coact_log_level level,
                     const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* True: say it; *held_back, if not 0, is how many were not said before. */
bool coact__log_admits(struct coact__log_limit *limit, int64_t now_ns,
                       uint32_t *held_back);

#endif
