/*
 * log_lines.c - format a line, hand it to the sink.
 *
 * The counters of a limit are relaxed: they guard nothing, and a line more or
 * less in a second is no harm.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/log_lines.h"

#include <stdio.h>

const char *
coact_log_level_name(enum coact_log_level level)
{
    switch (level) {
    case COACT_LOG_DEBUG:
        return "debug";
    case COACT_LOG_INFO:
        return "info";
    case COACT_LOG_WARNING:
        return "warning";
    case COACT_LOG_ERROR:
        return "error";
    case COACT_LOG_DEFAULT:
    case COACT_LOG_NONE:
        break;
    }
    return "none";
}

static void
to_stderr(void *context, enum coact_log_level level, const char *text)
{
    (void)context;
    fprintf(stderr, "coact %s: %s\n", coact_log_level_name(level), text);
}

void
coact__log_init(struct coact__log *log, enum coact_log_level level,
                coact_log_sink *sink, void *context)
{
    log->level = level == COACT_LOG_DEFAULT ? COACT_LOG_WARNING : level;
    log->sink = sink != NULL ? sink : to_stderr;
    log->context = context;
}

bool
coact__log_wants(const struct coact__log *log, enum coact_log_level level)
{
    return level >= log->level;
}

void
coact__log_line(struct coact__log *log, enum coact_log_level level,
                const char *format, va_list args)
{
    if (coact__log_wants(log, level)) {
        char line[COACT__LOG_LINE];
        vsnprintf(line, sizeof(line), format, args);
        log->sink(log->context, level, line);
    }
}

bool
coact__log_admits(struct coact__log_limit *limit, int64_t now_ns,
                  uint32_t *held_back)
{
    int64_t second = now_ns / 1000000000;
    *held_back = 0;
    if (atomic_exchange_explicit(&limit->second, second,
                                 memory_order_relaxed) != second) {
        atomic_store_explicit(&limit->lines, 0, memory_order_relaxed);
        *held_back = atomic_exchange_explicit(&limit->held_back, 0,
                                              memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&limit->lines, 1, memory_order_relaxed) <
        COACT__LOG_PER_SECOND) {
        return true;
    }
    atomic_fetch_add_explicit(&limit->held_back, 1, memory_order_relaxed);
    return false;
}
