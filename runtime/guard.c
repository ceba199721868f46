/*
 * guard.c - the ladder of guards.
 *
 * A step that this kernel or this process cannot take is not tried again: an
 * old kernel does not know the advice, and refuses it for locked memory
 * (mlockall).  Running out of memory is no such step; the next stack may fare
 * better.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/guard.h"

#include "runtime/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Newer than Debian 12's headers. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    DEFAULT_MAX_MAPS = 65530,
    SPARE_MAPS = 4096 /* left to malloc, threads and libraries */
};

void
coact__guards_init(struct coact__guards *guards, enum coact__guard first,
                   bool allow_none)
{
    *guards = (struct coact__guards){
        .next = first == COACT__GUARD_BEST ? COACT__GUARD_LIGHT : first,
        .allow_none = allow_none || first == COACT__GUARD_NONE,
        .page = (size_t)sysconf(_SC_PAGESIZE),
    };
}

static size_t
max_map_count(void)
{
    size_t maps = DEFAULT_MAX_MAPS;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != NULL) {
        char line[32];
        if (fgets(line, sizeof line, file) != NULL) {
            maps = strtoul(line, NULL, 10);
        }
        fclose(file);
    }
    return maps;
}

/* Each guard by mprotect splits a mapping: two more of them. */
static size_t
heavy_max(void)
{
    size_t maps = max_map_count();
    size_t spare = maps / 2 < SPARE_MAPS ? maps / 2 : SPARE_MAPS;
    return (maps - spare) / 2;
}

int
coact__guards_light(const struct coact__guards *guards, void *page)
{
    if (coact__fails()) {
        return -ENOMEM;
    }
    return madvise(page, guards->page, MADV_GUARD_INSTALL) == 0 ? 0 : -errno;
}

int
coact__guards_light_many(const struct coact__guards *guards,
                         const struct iovec *pages, size_t count)
{
    if (coact__fails()) {
        return -ENOMEM;
    }
    return coact__advise_many(pages, count, count * guards->page,
                              MADV_GUARD_INSTALL);
}

static int
install_heavy(struct coact__guards *guards, void *page)
{
    if (guards->heavy_max == 0) {
        guards->heavy_max = heavy_max();
    }
    if (guards->heavy >= guards->heavy_max || coact__fails() ||
        mprotect(page, guards->page, PROT_NONE) != 0) {
        return -ENOMEM;
    }
    guards->heavy++;
    return 0;
}

int
coact__guards_install(struct coact__guards *guards, void *page, int rc,
                      enum coact__guard *kind)
{
    *kind = COACT__GUARD_LIGHT;
    if (guards->next == COACT__GUARD_LIGHT && rc != 0 && rc != -ENOMEM) {
        guards->next = COACT__GUARD_HEAVY;
    }
    if (guards->next == COACT__GUARD_HEAVY && rc != 0) {
        rc = install_heavy(guards, page);
        *kind = COACT__GUARD_HEAVY;
    }
    if (rc != 0 && guards->allow_none) {
        guards->none++;
        *kind = COACT__GUARD_NONE;
        rc = 0;
    }
    return rc != 0 ? -ENOMEM : 0;
}
