/* expects: must be 1 to 536870911 */
/* SPDX-License-Identifier: MIT */
#include <coact/message.h>

struct item {
    int32_t count;
    int32_t size;
    char *note;
    coact_text title;
    struct {
        int32_t *data;
        int32_t count;
    } parts;
};

#if WRONG
COACT_MESSAGE(item, (0, count));
#else
COACT_MESSAGE(item, (1, count));
#endif
