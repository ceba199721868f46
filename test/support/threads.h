/*
 * threads.h - the threads of this process, as the kernel knows them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_THREADS_H
#define COACT_TEST_THREADS_H

#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* How many have a name that begins so. */
static inline uint32_t
threads_named(const char *prefix)
{
    uint32_t found = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL) {
        char path[300];
        char name[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FILE *comm = fopen(path, "re");
        if (comm != NULL) { // it may have ended
            (void)!fgets(name, sizeof(name), comm);
            fclose(comm);
        }
        found += strncmp(name, prefix, strlen(prefix)) == 0;
    }
    closedir(tasks);
    return found;
}

#endif
