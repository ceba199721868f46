/*
 * codec_test.c - what is encoded is decoded, by programs of any age, and the
 * bytes are those of protobuf.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/codec.h"

#include "test/mailbox/codec_check.h"
#include "test/mailbox/codec_help.h"
#include "test/mailbox/messages.h"
#include "test/mailbox/random_message.h"
#include "test/support/suite.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

START_TEST(random_messages_of_every_type_come_back_equal)
{
    uint64_t state = 11;
    for (size_t i = 0; i < 20000; i++) {
        struct coact_type *type = types[i % TYPE_COUNT];
        void *message = malloc(type->size);
        ck_assert(random_message(type, message, &state));
        codec_check_again(type, message, 0);
        coact__type_destroy(type, message);
        free(message);
    }
}
END_TEST

START_TEST(numbers_at_their_limits_come_back_equal)
{
    struct scalars all[] = {
        {true, UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX, INT8_MAX,
         INT16_MAX, INT32_MAX, INT64_MAX, COLOR_BLUE, FLT_MAX, DBL_MAX,
         LLONG_MAX},
        {false, 1, 1, 1, 1, INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN,
         COLOR_ODD, -0.0F, -0.0, LLONG_MIN},
        {true, 127, 128, 16383, 16384, -1, -64, -65, 64, COLOR_NONE, INFINITY,
         -INFINITY, -1},
        {.single_precision = NAN, .double_precision = DBL_TRUE_MIN}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        codec_check_again(COACT_TYPE(scalars), &all[i], 0);
    }
}
END_TEST

START_TEST(the_bytes_are_those_that_protobuf_says)
{
    uint8_t buf[BYTES_MAX];
    struct scalars numbers = {.flag = true,
                              .medium = 300,
                              .signed_large = -2,
                              .color = COLOR_ODD,
                              .single_precision = 1.0F};
    size_t bytes = encode(COACT_TYPE(scalars), &numbers, buf);
    static const char expected[] =
        "\x08\x01\x18\xac\x02\x40\x03"
        "\x50\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01\x5d\x00\x00\x80\x3f";
    ck_assert_uint_eq(bytes, sizeof(expected) - 1);
    ck_assert_mem_eq(buf, expected, bytes);

    static char title[] = "hi";
    struct owned owned = {
        .title = {title, 2}, .author = {1, 0, 3, 0}, .numbers.flag = true};
    bytes = encode(COACT_TYPE(owned), &owned, buf);
    static const char nested[] = "\x0a\x02hi"
                                 "\x1a\x0a\x0d\x01\0\0\0\x1d\x03\0\0\0"
                                 "\x82\x01\x02\x08\x01";
    ck_assert_uint_eq(bytes, sizeof(nested) - 1);
    ck_assert_mem_eq(buf, nested, bytes);
}
END_TEST

START_TEST(what_is_zero_is_not_sent)
{
    struct lists lists = {.flags = {NULL, 0}};
    struct owned owned = {.title = {NULL, 0}};
    uint8_t none[1];
    ck_assert_int_eq(coact__codec_encode(COACT_TYPE(lists), &lists, none, 0),
                     0);
    ck_assert_int_eq(coact__codec_encode(COACT_TYPE(owned), &owned, none, 0),
                     0);
    ck_assert_uint_eq(coact__codec_size(COACT_TYPE(owned), &owned), 0);
    owned.title.bytes = 9;
    ck_assert_int_eq(DECODE(owned, "", &owned), 0);
    ck_assert_uint_eq(owned.title.bytes, 0);
}
END_TEST

START_TEST(a_text_ends_in_zero_and_may_hold_one)
{
    struct place place;
    ck_assert_int_eq(DECODE(place,
                            "\x0a\x03"
                            "a\0b",
                            &place),
                     0);
    ck_assert_uint_eq(place.street.bytes, 3);
    ck_assert_mem_eq(place.street.data, "a\0b\0", 4);
    codec_check_again(COACT_TYPE(place), &place, 0);
    coact__type_destroy(COACT_TYPE(place), &place);
}
END_TEST

START_TEST(of_a_field_that_comes_twice_the_last_one_counts)
{
    struct owned owned;
    ck_assert_int_eq(DECODE(owned,
                            "\x0a\x03one\x2a\x05\x0a\x03old"
                            "\x0a\x03two\x2a\x02\x10\x07",
                            &owned),
                     0);
    ck_assert_str_eq(owned.title.data, "two");
    ck_assert_ptr_null(owned.home.street.data);
    ck_assert_uint_eq(owned.home.doors, 7);
    coact__type_destroy(COACT_TYPE(owned), &owned);
    struct scalars numbers;
    ck_assert_int_eq(DECODE(scalars, "\x10\x05\x10\x00", &numbers), 0);
    ck_assert_uint_eq(numbers.small, 0);
}
END_TEST

START_TEST(lists_of_numbers_come_packed_and_one_by_one)
{
    struct lists lists;
    ck_assert_int_eq(DECODE(lists,
                            "\x20\x01\x22\x03\x02\xac\x02\x22\x00"
                            "\x08\x01\x20\x04\x3d\0\0\x80\x3f",
                            &lists),
                     0);
    ck_assert_uint_eq(lists.larges.count, 4);
    static const uint32_t larges[] = {1, 2, 300, 4};
    ck_assert_mem_eq(lists.larges.data, larges, sizeof(larges));
    ck_assert_uint_eq(lists.flags.count, 1);
    ck_assert_uint_eq(lists.floats.count, 1);
    ck_assert(lists.floats.data[0] > 0.9F);
    coact__type_destroy(COACT_TYPE(lists), &lists);
    ck_assert_int_eq(DECODE(lists, "\x22\x01\x80", &lists), -EBADMSG);
    ck_assert_int_eq(DECODE(lists, "\x3a\x05\0\0\0\0\0", &lists), -EBADMSG);
}
END_TEST

START_TEST(a_number_too_large_for_its_member_is_refused)
{
    struct scalars numbers;
    ck_assert_int_eq(DECODE(scalars, "\x10\xff\x01", &numbers), 0);
    ck_assert_int_eq(DECODE(scalars, "\x10\x80\x02", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x18\x80\x80\x04", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x20\x80\x80\x80\x80\x10", &numbers),
                     -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x30\xff\x01", &numbers), 0);
    ck_assert_int_eq(numbers.signed_small, -128);
    ck_assert_int_eq(DECODE(scalars, "\x30\x80\x02", &numbers), -EBADMSG);
    ck_assert_int_eq(DECODE(scalars,
                            "\x28\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02",
                            &numbers),
                     -EBADMSG);
    ck_assert_int_eq(DECODE(scalars, "\x08\x07", &numbers), 0);
    ck_assert(numbers.flag);
}
END_TEST

/* The same message in the program of today, and in that of next year. */
struct today {
    uint32_t amount;
    coact_text name;
    int16_t place;
    COACT_REPEATED(uint8_t) marks;
};

COACT_MESSAGE(today, (1, amount), (2, name), (3, place), (4, marks, REPEATED));

struct next_year {
    coact_text title; /* 2, renamed and moved */
    uint64_t amount;  /* 1, wider */
    COACT_REPEATED(coact_text) tags;
    struct place home;
    double rate;
    COACT_REPEATED(uint8_t) marks;
};

COACT_MESSAGE(next_year, (2, title), (1, amount), (7, tags, REPEATED),
              (8, home, NESTED, place), (9, rate), (4, marks, REPEATED));

START_TEST(an_older_program_reads_a_newer_message)
{
    uint8_t buf[BYTES_MAX];
    struct next_year sent = {.title = coact_text_copy("n"),
                             .amount = 5,
                             .home.doors = 1,
                             .rate = 0.5};
    sent.tags.data = coact_list_new(2, sizeof(coact_text));
    sent.tags.count = 2;
    sent.marks.data = coact_list_new(1, 1);
    sent.marks.count = 1;
    sent.marks.data[0] = 9;
    size_t bytes = encode(COACT_TYPE(next_year), &sent, buf);
    struct today got;
    uint64_t unknown = 100;
    ck_assert_int_eq(
        coact__codec_decode(COACT_TYPE(today), buf, bytes, &got, &unknown), 0);
    ck_assert_uint_eq(unknown, 104); // two tags, a home, a rate
    ck_assert_uint_eq(got.amount, 5);
    ck_assert_str_eq(got.name.data, "n");
    ck_assert_int_eq(got.place, 0);
    ck_assert_uint_eq(got.marks.data[0], 9);
    coact__type_destroy(COACT_TYPE(today), &got);
    coact__type_destroy(COACT_TYPE(next_year), &sent);
}
END_TEST

START_TEST(a_newer_program_reads_an_older_message)
{
    uint8_t buf[BYTES_MAX];
    struct today sent = {
        .amount = UINT32_MAX, .name = coact_text_copy("n"), .place = -4};
    size_t bytes = encode(COACT_TYPE(today), &sent, buf);
    struct next_year got;
    uint64_t unknown = 0;
    ck_assert_int_eq(
        coact__codec_decode(COACT_TYPE(next_year), buf, bytes, &got, &unknown),
        0);
    ck_assert_uint_eq(unknown, 1);
    ck_assert_uint_eq(got.amount, UINT32_MAX);
    ck_assert_str_eq(got.title.data, "n");
    ck_assert_uint_eq(got.tags.count, 0);
    ck_assert(got.rate >= 0 && got.rate <= 0);
    coact__type_destroy(COACT_TYPE(today), &sent);
    coact__type_destroy(COACT_TYPE(next_year), &got);
}
END_TEST

struct other_kind {
    coact_text amount;
};

COACT_MESSAGE(other_kind, (1, amount));

START_TEST(a_field_of_another_encoding_is_an_unknown_one)
{
    struct other_kind got;
    uint64_t unknown = 0;
    ck_assert_int_eq(coact__codec_decode(COACT_TYPE(other_kind), "\x08\x05", 2,
                                         &got, &unknown),
                     0);
    ck_assert_uint_eq(unknown, 1);
    ck_assert_ptr_null(got.amount.data);
}
END_TEST

struct pipe_end {
    int fd;
};

static void
pipe_end_close(struct pipe_end *end)
{
    end->fd = -1;
}

COACT_LOCAL_MESSAGE(pipe_end, pipe_end_close);

struct parcel {
    struct pipe_end end;
};

COACT_MESSAGE(parcel, (1, end, NESTED, pipe_end));

START_TEST(a_local_message_has_no_encoding)
{
    uint8_t buf[16];
    struct pipe_end end = {3};
    struct parcel parcel = {end};
    ck_assert_int_eq(
        coact__codec_encode(COACT_TYPE(pipe_end), &end, buf, sizeof(buf)),
        -ENOTSUP);
    ck_assert_int_eq(coact__codec_encode(COACT_TYPE(parcel), &parcel, buf, 0),
                     -ENOTSUP);
    ck_assert_int_eq(DECODE(pipe_end, "", &end), -ENOTSUP);
    ck_assert_int_eq(DECODE(parcel, "\x0a\x00", &parcel), -ENOTSUP);
}
END_TEST

START_TEST(memory_that_ran_out_before_is_not_encoded)
{
    uint8_t buf[64];
    struct place place = {.street = {NULL, 4}};
    ck_assert_int_eq(
        coact__codec_encode(COACT_TYPE(place), &place, buf, sizeof(buf)),
        -ENOMEM);
    struct lists lists = {.huges = {NULL, 4}};
    ck_assert_int_eq(
        coact__codec_encode(COACT_TYPE(lists), &lists, buf, sizeof(buf)),
        -ENOMEM);
}
END_TEST

SUITE_MAIN("codec", random_messages_of_every_type_come_back_equal,
           numbers_at_their_limits_come_back_equal,
           the_bytes_are_those_that_protobuf_says, what_is_zero_is_not_sent,
           a_text_ends_in_zero_and_may_hold_one,
           of_a_field_that_comes_twice_the_last_one_counts,
           lists_of_numbers_come_packed_and_one_by_one,
           a_number_too_large_for_its_member_is_refused,
           an_older_program_reads_a_newer_message,
           a_newer_program_reads_an_older_message,
           a_field_of_another_encoding_is_an_unknown_one,
           a_local_message_has_no_encoding,
           memory_that_ran_out_before_is_not_encoded)
