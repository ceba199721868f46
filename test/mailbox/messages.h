/*
 * messages.h - messages of every shape, for the tests of types and codec.
 *
 * Every kind of field stands alone and in a list, and messages in messages both
 * ways.  The header stands in several files of one test binary, as a user's
 * would.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_MESSAGES_H
#define COACT_TEST_MESSAGES_H

#include <coact/message.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum color { COLOR_NONE, COLOR_RED, COLOR_BLUE = 7, COLOR_ODD = -3 };

union desk_ref {
    coact_ref ref;
    const char *accepts;
};

struct scalars {
    bool flag;
    uint8_t small;
    uint16_t medium;
    uint32_t large;
    uint64_t huge;
    int8_t signed_small;
    int16_t signed_medium;
    int32_t signed_large;
    int64_t signed_huge;
    enum color color;
    float single_precision;
    double double_precision;
    long long wide;
};

COACT_MESSAGE(scalars, (1, flag), (2, small), (3, medium), (4, large),
              (5, huge), (6, signed_small), (7, signed_medium),
              (8, signed_large), (9, signed_huge), (10, color, ENUM),
              (11, single_precision), (12, double_precision), (13, wide));

struct place {
    coact_text street;
    uint16_t doors;
};

COACT_MESSAGE(place, (1, street, TEXT), (2, doors));

struct tree {
    coact_text name;
    COACT_REPEATED(struct tree) kids;
};

COACT_MESSAGE(tree, (1, name), (2, kids, REPEATED, tree));

struct owned {
    coact_text title;
    coact_bytes photo;
    coact_ref author;
    union desk_ref desk;
    struct place home;
    struct scalars numbers;
};

COACT_MESSAGE(owned, (1, title, TEXT), (2, photo, BYTES), (3, author, REF),
              (4, desk, REF), (5, home, NESTED, place),
              (16, numbers, NESTED, scalars));

struct lists {
    COACT_REPEATED(bool) flags;
    COACT_REPEATED(uint8_t) smalls;
    COACT_REPEATED(int16_t) mediums;
    COACT_REPEATED(uint32_t) larges;
    COACT_REPEATED(int64_t) huges;
    COACT_REPEATED(enum color) colors;
    COACT_REPEATED(float) floats;
    COACT_REPEATED(double) doubles;
    COACT_REPEATED(coact_text) texts;
    COACT_REPEATED(coact_bytes) blobs;
    COACT_REPEATED(union desk_ref) desks;
    COACT_REPEATED(struct place) places;
    COACT_REPEATED(struct owned) owneds;
    struct tree tree;
};

COACT_MESSAGE(lists, (1, flags, REPEATED), (2, smalls, REPEATED),
              (3, mediums, REPEATED), (4, larges, REPEATED),
              (5, huges, REPEATED), (6, colors, REPEATED_ENUM),
              (7, floats, REPEATED), (8, doubles, REPEATED),
              (9, texts, REPEATED), (10, blobs, REPEATED),
              (11, desks, REPEATED_REF), (12, places, REPEATED, place),
              (13, owneds, REPEATED, owned), (200, tree, NESTED, tree));

COACT_SIGNAL(nothing);

struct where_is {
    coact_text name;
};

COACT_REQUEST(where_is, place, (1, name));

#define TEST_TYPES                                                             \
    {                                                                          \
        COACT_TYPE(scalars), COACT_TYPE(place), COACT_TYPE(tree),              \
            COACT_TYPE(owned), COACT_TYPE(lists), COACT_TYPE(nothing)          \
    }

#endif
