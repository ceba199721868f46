/*
 * cores.c - how many processors this process may really use.
 *
 * The affinity mask says on which it may run, the cgroup's quota how much of
 * them it gets.  More workers than that would only take turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/scheduler.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 400

/* The quota of one cgroup in processors, rounded up; UINT32_MAX if it has none. */
static uint32_t
quota_of(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return UINT32_MAX;
    }
    unsigned long quota = 0;
    unsigned long period = 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel writes no number out of range
    int fields = fscanf(file, "%lu %lu", &quota, &period); // "max" fails
    fclose(file);
    if (fields != 2 || quota == 0 || period == 0) {
        return UINT32_MAX;
    }
    return (uint32_t)((quota + period - 1) / period);
}

/* Our cgroup and all above it: the tightest holds. */
static uint32_t
cgroup_quota(void)
{
    char path[PATH_BYTES] = "/sys/fs/cgroup";
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL) {
        return UINT32_MAX;
    }
    size_t root = strlen(path);
    char *group = path + root;
    bool found = false;
    char line[PATH_BYTES - 64]; // a longer path is one we do not follow
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        found = strncmp(line, "0::", 3) == 0;
    }
    fclose(file);
    if (!found) {
        return UINT32_MAX;
    }
    line[strcspn(line, "\n")] = '\0';
    memcpy(group, line + 3, strlen(line + 3) + 1);
    uint32_t least = UINT32_MAX;
    for (;;) {
        size_t end = strlen(path);
        memcpy(path + end, "/cpu.max", sizeof("/cpu.max"));
        uint32_t quota = quota_of(path);
        least = quota < least ? quota : least;
        path[end] = '\0';
        char *slash = strrchr(path + root, '/');
        if (slash == NULL) {
            return least;
        }
        *slash = '\0';
    }
}

uint32_t
coact__cores(void)
{
    cpu_set_t allowed;
    uint32_t cores = 1;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
        cores = (uint32_t)CPU_COUNT(&allowed);
    }
    uint32_t quota = cgroup_quota();
    cores = quota < cores ? quota : cores;
    return cores > 0 ? cores : 1;
}
