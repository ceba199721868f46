/*
 * log.h - where coact says what it has to say.
 *
 * A line has a level and a text without a line end.  The default sink writes to
 * standard error; a host gives its own.  Lines of one kind are limited in rate
 * where a fault could make a flood of them; what was held back is counted in
 * the next line of that kind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_LOG_H
#define COACT_LOG_H

#include <coact/error.h>

COACT_BEGIN_DECLS

enum coact_log_level {
    COACT_LOG_DEFAULT, /* as an option: COACT_LOG_WARNING */
    COACT_LOG_DEBUG,
    COACT_LOG_INFO,
    COACT_LOG_WARNING,
    COACT_LOG_ERROR,
    COACT_LOG_NONE /* as an option: nothing at all */
};

/* Takes one line; called from any thread, at times from several at once; must
   not call coact.  The text is gone after the call. */
typedef void coact_log_sink(void *context, enum coact_log_level level,
                            const char *text);

/* "debug", "info", "warning", "error".
   from any, waits no, fails never */
COACT_API const char *coact_log_level_name(enum coact_log_level level);

COACT_END_DECLS

#endif
