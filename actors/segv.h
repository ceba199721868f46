/*
 * segv.h - who gets a SIGSEGV.
 *
 * First an overflow that can be contained, if that was asked for; then the crash
 * report, if that was; then whoever was there before us.  One handler for the
 * process, installed by the first who asks, and never taken away: somebody may
 * have put his own on top of it and call it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_SEGV_H
#define COACT_ACTORS_SEGV_H

#include "runtime/error.h"

struct coact_runtime;

/* What the options of a runtime say about overflows, made true.
   fails EINVAL ENOTSUP */
COACT_CHECKED int coact__segv_contain(struct coact_runtime *runtime);

/* From now on the crash report is written, and nobody after it is asked.
   fails EINVAL (by the kernel) */
COACT_CHECKED int coact__segv_report(void);

#endif
