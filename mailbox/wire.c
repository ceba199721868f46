/*
 * wire.c - the check of texts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/wire.h"

/* How many bytes the character at p takes, or 0 if it is none.  The second byte
   has a range of its own behind E0, ED, F0 and F4: that is where overlong forms,
   surrogates and what lies above U+10FFFF are. */
static size_t
utf8_character(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t bytes = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] < 0xc2 || p[0] > 0xf4 || bytes > left) {
        return 0;
    }
    low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
    high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

bool
coact__utf8_is_valid(const void *text, size_t bytes)
{
    const uint8_t *p = text;
    size_t i = 0;
    while (i < bytes) {
        uint64_t eight = 0;
        if (bytes - i >= sizeof(eight)) {
            memcpy(&eight, p + i, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t step = utf8_character(p + i, bytes - i);
        if (step == 0) {
            return false;
        }
        i += step;
    }
    return true;
}
