/*
 * user.c - the least that a user's program can do with the library.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/error.h>
#include <coact/ref.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

int
main(void)
{
    coact_ref nobody = {0, 0, 0, 0};
    puts(coact_strerror(-ENOBUFS));
    return coact_ref_is_none(nobody) &&
                   strcmp(coact_errname(-ENOBUFS), "ENOBUFS") == 0
               ? 0
               : 1;
}
