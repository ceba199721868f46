/*
 * codec_hostile_test.c - what is not an encoding is refused, without a byte
 * lost or a step too far.
 *
 * The mutation test is the fuzzer for every day: the same check on inputs that
 * a seed decides.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/codec.h"

#include "runtime/memory.h"
#include "test/mailbox/codec_check.h"
#include "test/mailbox/codec_help.h"
#include "test/mailbox/messages.h"
#include "test/mailbox/random_message.h"
#include "test/support/seed.h"
#include "test/support/suite.h"
#include "test/support/valgrind.h"

#include <limits.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* How many mutants: as many as take a few seconds. */
static uint64_t
mutant_count(void)
{
    if (is_on_valgrind()) {
        return 20000;
    }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return 300000;
#else
    return 3000000;
#endif
}

START_TEST(a_message_cut_anywhere_is_refused_or_a_shorter_message)
{
    uint8_t buf[BYTES_MAX];
    uint64_t state = 3;
    for (size_t i = 0; i < 60; i++) {
        struct coact_type *type = types[i % TYPE_COUNT];
        size_t bytes = encode_random(type, &state, buf);
        for (size_t cut = 0; cut < bytes && cut < 3000; cut++) {
            uint8_t *block = malloc(cut + (cut == 0));
            memcpy(block, buf, cut);
            (void)codec_check(type, block, cut);
            free(block);
        }
    }
    struct scalars numbers;
    ck_assert_int_eq(DECODE(scalars, "\x08", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x08\x80", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x5d\x00\x00\x80", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x61\0\0\0\0\0\0\0", &numbers), -EBADMSG);
}
END_TEST

START_TEST(every_flipped_bit_is_survived)
{
    uint8_t buf[BYTES_MAX];
    uint64_t state = 5;
    unsigned long refused = 0;
    for (size_t i = 0; i < 60; i++) {
        struct coact_type *type = types[i % TYPE_COUNT];
        size_t bytes = encode_random(type, &state, buf);
        for (size_t bit = 0; bit < bytes * 8 && bit < 3000; bit++) {
            buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
            refused += !codec_check(type, buf, bytes);
            buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        ck_assert(codec_check(type, buf, bytes));
    }
    ck_assert_uint_gt(refused, 1000);
}
END_TEST

START_TEST(a_length_that_is_not_there_allocates_nothing)
{
    static const struct {
        const char *bytes;
        size_t length;
    } claims[] = {
        {"\x0a\xff\xff\xff\xff\x0f", 6},                      // text of 4 GiB
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, // of 2^64 - 1
        {"\x0a\x01", 2},                                      // text of one
        {"\x0a\x7f"
         "abcdefgh",
         10},
    };
    struct owned owned;
    struct lists lists;
    coact__fail_nth(ULONG_MAX, false);
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        ck_assert_int_eq(coact__codec_decode(COACT_TYPE(owned), claims[i].bytes,
                                             claims[i].length, &owned, NULL),
                         -EBADMSG);
        ck_assert_int_eq(coact__codec_decode(COACT_TYPE(lists), claims[i].bytes,
                                             claims[i].length, &lists, NULL),
                         -EBADMSG);
    }
    ck_assert_uint_eq(coact__fail_count(), 0);
    coact__fail_nth(0, false);
}
END_TEST

/* An empty struct owned, again and again: two bytes each on the wire. */
START_TEST(two_bytes_do_not_buy_a_struct_each)
{
    static uint8_t bytes[BYTES_MAX];
    for (size_t i = 0; i < sizeof(bytes); i += 2) {
        bytes[i] = 0x6a;
        bytes[i + 1] = 0;
    }
    struct lists lists;
    ck_assert_uint_gt(sizeof(struct owned), 2 * COACT__CODEC_MEMORY_FACTOR);
    ck_assert_int_eq(coact__codec_decode(COACT_TYPE(lists), bytes,
                                         sizeof(bytes), &lists, NULL),
                     -EOVERFLOW);
    ck_assert_int_eq(
        coact__codec_decode(COACT_TYPE(lists), bytes, 200, &lists, NULL), 0);
    ck_assert_uint_eq(lists.owneds.count, 100);
    coact__type_destroy(COACT_TYPE(lists), &lists);

    lists = (struct lists){.flags = {NULL, 0}};
    lists.owneds.count = sizeof(bytes) / 2;
    lists.owneds.data =
        coact_list_new(lists.owneds.count, sizeof(struct owned));
    ck_assert_int_eq(
        coact__codec_encode(COACT_TYPE(lists), &lists, bytes, sizeof(bytes)),
        -EINVAL);
    coact__type_destroy(COACT_TYPE(lists), &lists);
}
END_TEST

START_TEST(text_that_is_not_utf8_is_refused_on_both_sides)
{
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "12345678\xfe"};
    static const char *const good[] = {
        "\x7f",         "\xc2\x80",         "\xed\x9f\xbf",
        "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "12345678\xc3\xa9"};
    uint8_t buf[64] = {0x0a};
    struct place place;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct place wrong = {.street = coact_text_copy(bad[i])};
        ck_assert_int_eq(coact__codec_encode(COACT_TYPE(place), &wrong, buf + 1,
                                             sizeof(buf) - 1),
                         -EINVAL);
        buf[1] = (uint8_t)wrong.street.bytes;
        memcpy(buf + 2, wrong.street.data, wrong.street.bytes);
        ck_assert_int_eq(coact__codec_decode(COACT_TYPE(place), buf,
                                             wrong.street.bytes + 2, &place,
                                             NULL),
                         -EBADMSG);
        coact__type_destroy(COACT_TYPE(place), &wrong);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        place = (struct place){.street = coact_text_copy(good[i])};
        codec_check_again(COACT_TYPE(place), &place, 0);
        coact__type_destroy(COACT_TYPE(place), &place);
    }
}
END_TEST

START_TEST(what_is_no_field_is_refused)
{
    struct scalars numbers;
    ck_assert_int_eq(DECODE(scalars, "\x00\x01", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x0b\x0c", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x0f\x00", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x88\x80\x80\x80\x10\x01", &numbers),
                     -EBADMSG);
}
END_TEST

/* A tree in a tree, that many levels. */
static size_t
nest(uint8_t *to, int levels)
{
    size_t length = 0;
    uint8_t *end = to + BYTES_MAX;
    for (int i = 1; i < levels; i++) {
        end[-(ptrdiff_t)length - 1] = (uint8_t)length;
        end[-(ptrdiff_t)length - 2] = 0x12;
        length += 2;
    }
    memmove(to, end - length, length);
    return length;
}

START_TEST(messages_nested_too_deep_are_refused_on_both_sides)
{
    static uint8_t bytes[BYTES_MAX];
    struct tree tree;
    size_t length = nest(bytes, COACT__NESTING_MAX);
    ck_assert_int_eq(
        coact__codec_decode(COACT_TYPE(tree), bytes, length, &tree, NULL), 0);
    struct tree deeper = {.name = {NULL, 0}, .kids = {&tree, 1}};
    ck_assert_int_eq(
        coact__codec_encode(COACT_TYPE(tree), &deeper, bytes, sizeof(bytes)),
        -EINVAL);
    coact__type_destroy(COACT_TYPE(tree), &tree);
    length = nest(bytes, COACT__NESTING_MAX + 1);
    ck_assert_int_eq(
        coact__codec_decode(COACT_TYPE(tree), bytes, length, &tree, NULL),
        -EBADMSG);
}
END_TEST

/* The number of allocations that these bytes make. */
static unsigned long
decode_with_each_allocation_failed(struct coact_type *type,
                                   const uint8_t *bytes, size_t length)
{
    void *message = malloc(type->size);
    int rc = -ENOMEM;
    unsigned long n = 0;
    while (rc != 0) {
        coact__fail_nth(++n, false);
        rc = coact__codec_decode(type, bytes, length, message, NULL);
        coact__fail_nth(0, false);
        ck_assert(rc == 0 || rc == -ENOMEM);
        ck_assert(rc == 0 || codec_all_zero(message, type->size));
    }
    coact__type_destroy(type, message);
    free(message);
    return n - 1;
}

START_TEST(decoding_that_runs_out_of_memory_leaves_nothing)
{
    uint8_t buf[BYTES_MAX];
    uint64_t state = 21;
    unsigned long failed = 0;
    for (size_t i = 0; i < 120; i++) {
        struct coact_type *type = types[i % TYPE_COUNT];
        size_t bytes = encode_random(type, &state, buf);
        failed += decode_with_each_allocation_failed(type, buf, bytes);
    }
    ck_assert_uint_gt(failed, 300);
}
END_TEST

/* Change a few bytes, or cut, or repeat a part.  The new length. */
static size_t
mutate(uint8_t *bytes, size_t length, uint64_t *state)
{
    static const uint8_t nasty[] = {0x00, 0x7f, 0x80, 0xff, 0x01, 0x0a};
    for (uint64_t edits = random_next(state) % 4 + 1; edits != 0; edits--) {
        uint64_t bits = random_next(state);
        size_t at = (bits >> 8) % length;
        switch (bits % 5) {
        case 0:
            bytes[at] ^= (uint8_t)(1U << (bits >> 60 & 7));
            break;
        case 1:
            bytes[at] = (uint8_t)(bits >> 40);
            break;
        case 2:
            bytes[at] = nasty[(bits >> 40) % sizeof(nasty)];
            break;
        case 3:
            length = at + 1;
            break;
        default:
            memmove(bytes + at, bytes + (bits >> 40) % (at + 1), length - at);
            break;
        }
    }
    return length;
}

static void
mutate_one_seed(uint64_t seed)
{
    static uint8_t original[BYTES_MAX];
    static uint8_t mutant[512];
    uint64_t state = seed;
    suite_seed(seed);
    struct coact_type *type = types[seed % (TYPE_COUNT - 1)];
    size_t bytes = encode_random(type, &state, original);
    bytes = bytes < sizeof(mutant) ? bytes : sizeof(mutant);
    for (int i = 0; i < 100; i++) {
        memcpy(mutant, original, bytes);
        size_t length = mutate(mutant, bytes, &state);
        (void)codec_check(type, mutant, length);
    }
}

START_TEST(millions_of_broken_messages_are_survived)
{
    uint64_t asked;
    if (suite_seed_asked(&asked)) {
        mutate_one_seed(asked);
        return;
    }
    for (uint64_t seed = 0; seed < mutant_count() / 100; seed++) {
        mutate_one_seed(seed);
    }
}
END_TEST

SUITE_MAIN("codec_hostile",
           a_message_cut_anywhere_is_refused_or_a_shorter_message,
           every_flipped_bit_is_survived,
           a_length_that_is_not_there_allocates_nothing,
           two_bytes_do_not_buy_a_struct_each,
           text_that_is_not_utf8_is_refused_on_both_sides,
           what_is_no_field_is_refused,
           messages_nested_too_deep_are_refused_on_both_sides,
           decoding_that_runs_out_of_memory_leaves_nothing,
           millions_of_broken_messages_are_survived)
