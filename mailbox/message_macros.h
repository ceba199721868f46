/*
 * message_macros.h - how COACT_MESSAGE turns a list of fields into a
 * descriptor.
 *
 * Nothing here is for users: it is public only because the preprocessor must
 * see it.  <coact/message.h> has the words that users write.
 *
 * A list of fields is walked four times, each time by another macro of the
 * shape M(message, (number, member, kind ...)):
 *   ROW     its struct coact_field
 *   CHECK   static assertions, so that a wrong kind is named in plain words
 *   USE_NO  a case label: a number used twice does not compile
 *   USE_AT  a case label: a member listed twice would be freed twice
 * The labels stand in a function that nobody calls, so they cost nothing.
 *
 * Everything is C11 without extensions but for __attribute__((unused)): a
 * header may declare messages that the file which includes it never uses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_MESSAGE_MACROS_H
#define COACT_MESSAGE_MACROS_H

#define COACT__UNUSED __attribute__((unused))
#define COACT__CAT(a, b) COACT__CAT_(a, b)
#define COACT__CAT_(a, b) a##b
#define COACT__UNWRAP(...) __VA_ARGS__

/* How many arguments: 1 to 40. */
#define COACT__COUNT(...)                                                      \
    COACT__COUNT_(__VA_ARGS__, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, \
                  28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14,  \
                  13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define COACT__COUNT_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13,  \
                      _14, _15, _16, _17, _18, _19, _20, _21, _22, _23, _24,   \
                      _25, _26, _27, _28, _29, _30, _31, _32, _33, _34, _35,   \
                      _36, _37, _38, _39, _40, n, ...)                         \
    n

/* M(n, x) for each x; at most 40. */
#define COACT__EACH(M, n, ...)                                                 \
    COACT__CAT(COACT__EACH_, COACT__COUNT(__VA_ARGS__))(M, n, __VA_ARGS__)
#define COACT__EACH_1(M, n, x) M(n, x)
#define COACT__EACH_2(M, n, x, ...) M(n, x) COACT__EACH_1(M, n, __VA_ARGS__)
#define COACT__EACH_3(M, n, x, ...) M(n, x) COACT__EACH_2(M, n, __VA_ARGS__)
#define COACT__EACH_4(M, n, x, ...) M(n, x) COACT__EACH_3(M, n, __VA_ARGS__)
#define COACT__EACH_5(M, n, x, ...) M(n, x) COACT__EACH_4(M, n, __VA_ARGS__)
#define COACT__EACH_6(M, n, x, ...) M(n, x) COACT__EACH_5(M, n, __VA_ARGS__)
#define COACT__EACH_7(M, n, x, ...) M(n, x) COACT__EACH_6(M, n, __VA_ARGS__)
#define COACT__EACH_8(M, n, x, ...) M(n, x) COACT__EACH_7(M, n, __VA_ARGS__)
#define COACT__EACH_9(M, n, x, ...) M(n, x) COACT__EACH_8(M, n, __VA_ARGS__)
#define COACT__EACH_10(M, n, x, ...) M(n, x) COACT__EACH_9(M, n, __VA_ARGS__)
#define COACT__EACH_11(M, n, x, ...) M(n, x) COACT__EACH_10(M, n, __VA_ARGS__)
#define COACT__EACH_12(M, n, x, ...) M(n, x) COACT__EACH_11(M, n, __VA_ARGS__)
#define COACT__EACH_13(M, n, x, ...) M(n, x) COACT__EACH_12(M, n, __VA_ARGS__)
#define COACT__EACH_14(M, n, x, ...) M(n, x) COACT__EACH_13(M, n, __VA_ARGS__)
#define COACT__EACH_15(M, n, x, ...) M(n, x) COACT__EACH_14(M, n, __VA_ARGS__)
#define COACT__EACH_16(M, n, x, ...) M(n, x) COACT__EACH_15(M, n, __VA_ARGS__)
#define COACT__EACH_17(M, n, x, ...) M(n, x) COACT__EACH_16(M, n, __VA_ARGS__)
#define COACT__EACH_18(M, n, x, ...) M(n, x) COACT__EACH_17(M, n, __VA_ARGS__)
#define COACT__EACH_19(M, n, x, ...) M(n, x) COACT__EACH_18(M, n, __VA_ARGS__)
#define COACT__EACH_20(M, n, x, ...) M(n, x) COACT__EACH_19(M, n, __VA_ARGS__)
#define COACT__EACH_21(M, n, x, ...) M(n, x) COACT__EACH_20(M, n, __VA_ARGS__)
#define COACT__EACH_22(M, n, x, ...) M(n, x) COACT__EACH_21(M, n, __VA_ARGS__)
#define COACT__EACH_23(M, n, x, ...) M(n, x) COACT__EACH_22(M, n, __VA_ARGS__)
#define COACT__EACH_24(M, n, x, ...) M(n, x) COACT__EACH_23(M, n, __VA_ARGS__)
#define COACT__EACH_25(M, n, x, ...) M(n, x) COACT__EACH_24(M, n, __VA_ARGS__)
#define COACT__EACH_26(M, n, x, ...) M(n, x) COACT__EACH_25(M, n, __VA_ARGS__)
#define COACT__EACH_27(M, n, x, ...) M(n, x) COACT__EACH_26(M, n, __VA_ARGS__)
#define COACT__EACH_28(M, n, x, ...) M(n, x) COACT__EACH_27(M, n, __VA_ARGS__)
#define COACT__EACH_29(M, n, x, ...) M(n, x) COACT__EACH_28(M, n, __VA_ARGS__)
#define COACT__EACH_30(M, n, x, ...) M(n, x) COACT__EACH_29(M, n, __VA_ARGS__)
#define COACT__EACH_31(M, n, x, ...) M(n, x) COACT__EACH_30(M, n, __VA_ARGS__)
#define COACT__EACH_32(M, n, x, ...) M(n, x) COACT__EACH_31(M, n, __VA_ARGS__)
#define COACT__EACH_33(M, n, x, ...) M(n, x) COACT__EACH_32(M, n, __VA_ARGS__)
#define COACT__EACH_34(M, n, x, ...) M(n, x) COACT__EACH_33(M, n, __VA_ARGS__)
#define COACT__EACH_35(M, n, x, ...) M(n, x) COACT__EACH_34(M, n, __VA_ARGS__)
#define COACT__EACH_36(M, n, x, ...) M(n, x) COACT__EACH_35(M, n, __VA_ARGS__)
#define COACT__EACH_37(M, n, x, ...) M(n, x) COACT__EACH_36(M, n, __VA_ARGS__)
#define COACT__EACH_38(M, n, x, ...) M(n, x) COACT__EACH_37(M, n, __VA_ARGS__)
#define COACT__EACH_39(M, n, x, ...) M(n, x) COACT__EACH_38(M, n, __VA_ARGS__)
#define COACT__EACH_40(M, n, x, ...) M(n, x) COACT__EACH_39(M, n, __VA_ARGS__)

/*
 * A field has two, three or four elements; with the message's name in front
 * three, four or five.  FIELD(OP, …) ends in COACT__OP_KIND(n, number, member)
 * or, with a message's name behind the kind, COACT__OP_OF_KIND(…, name).
 */
#define COACT__FIELD(op, n, x) COACT__FIELD_(op, n, COACT__UNWRAP x)
#define COACT__FIELD_(...) COACT__FIELD__(__VA_ARGS__)
#define COACT__FIELD__(...)                                                    \
    COACT__CAT(COACT__FIELD_, COACT__COUNT(__VA_ARGS__))(__VA_ARGS__)
#define COACT__FIELD_4(op, n, number, member)                                  \
    COACT__##op##_SELF(n, number, member)
#define COACT__FIELD_5(op, n, number, member, kind)                            \
    COACT__##op##_##kind(n, number, member)
#define COACT__FIELD_6(op, n, number, member, kind, of)                        \
    COACT__##op##_OF_##kind(n, number, member, of)

/* The four walks. */
#define COACT__ROW(n, x) COACT__FIELD(ROW, n, x),
#define COACT__CHECK(n, x) COACT__FIELD(CHECK, n, x);
#define COACT__USE_NO(n, x) COACT__USE_NO_(COACT__UNWRAP x, 0)
#define COACT__USE_NO_(...) COACT__USE_NO__(__VA_ARGS__)
#define COACT__USE_NO__(number, ...) case (number):
#define COACT__USE_AT(n, x) COACT__USE_AT_(n, COACT__UNWRAP x, 0)
#define COACT__USE_AT_(...) COACT__USE_AT__(__VA_ARGS__)
#define COACT__USE_AT__(n, number, member, ...) case offsetof(struct n, member):

/* The kind of a plain member, by its type; 0 if its type does not say. */
#if __SIZEOF_LONG__ == 8
#define COACT__KIND_LONG COACT_KIND_I64
#define COACT__KIND_ULONG COACT_KIND_U64
#else
#define COACT__KIND_LONG COACT_KIND_I32
#define COACT__KIND_ULONG COACT_KIND_U32
#endif
#define COACT__KIND(x)                                                         \
    _Generic((x), _Bool                                                        \
             : COACT_KIND_BOOL, signed char                                    \
             : COACT_KIND_I8, unsigned char                                    \
             : COACT_KIND_U8, short                                            \
             : COACT_KIND_I16, unsigned short                                  \
             : COACT_KIND_U16, int                                             \
             : COACT_KIND_I32, unsigned                                        \
             : COACT_KIND_U32, long                                            \
             : COACT__KIND_LONG, unsigned long                                 \
             : COACT__KIND_ULONG, long long                                    \
             : COACT_KIND_I64, unsigned long long                              \
             : COACT_KIND_U64, float                                           \
             : COACT_KIND_FLOAT, double                                        \
             : COACT_KIND_DOUBLE, coact_text                                   \
             : COACT_KIND_TEXT, coact_bytes                                    \
             : COACT_KIND_BYTES, coact_ref                                     \
             : COACT_KIND_REF, default                                         \
             : COACT_KIND_NONE)

#define COACT__MEMBER(n, member) (((struct n *)0)->member)
#define COACT__ITEM(n, member) (*((struct n *)0)->member.data)
#define COACT__IS(T, x) _Generic((x), T : 1, default : 0)

/* Rows. */
#define COACT__ROW_(n, no, member, what, many, type)                           \
    {                                                                          \
        .name = #member, .of = (type), .number = (no),                         \
        .offset = offsetof(struct n, member), .kind = (what),                  \
        .repeated = (many)                                                     \
    }
#define COACT__ROW_SELF(n, no, member)                                         \
    COACT__ROW_(n, no, member, COACT__KIND(COACT__MEMBER(n, member)), 0, 0)
#define COACT__ROW_TEXT(n, no, member)                                         \
    COACT__ROW_(n, no, member, COACT_KIND_TEXT, 0, 0)
#define COACT__ROW_BYTES(n, no, member)                                        \
    COACT__ROW_(n, no, member, COACT_KIND_BYTES, 0, 0)
#define COACT__ROW_REF(n, no, member)                                          \
    COACT__ROW_(n, no, member, COACT_KIND_REF, 0, 0)
#define COACT__ROW_ENUM(n, no, member)                                         \
    COACT__ROW_(n, no, member, COACT_KIND_ENUM, 0, 0)
#define COACT__ROW_OF_NESTED(n, no, member, inner)                             \
    COACT__ROW_(n, no, member, COACT_KIND_NESTED, 0, &coact_type_##inner)
#define COACT__ROW_REPEATED(n, no, member)                                     \
    COACT__ROW_(n, no, member, COACT__KIND(COACT__ITEM(n, member)), 1, 0)
#define COACT__ROW_REPEATED_REF(n, no, member)                                 \
    COACT__ROW_(n, no, member, COACT_KIND_REF, 1, 0)
#define COACT__ROW_REPEATED_ENUM(n, no, member)                                \
    COACT__ROW_(n, no, member, COACT_KIND_ENUM, 1, 0)
#define COACT__ROW_OF_REPEATED(n, no, member, inner)                           \
    COACT__ROW_(n, no, member, COACT_KIND_NESTED, 1, &coact_type_##inner)

/* Checks.  19000 to 19999 belong to the Protocol Buffers implementation. */
#define COACT__IS_GOOD_NO(no)                                                  \
    ((no) >= 1 && (no) <= 536870911 && !((no) >= 19000 && (no) <= 19999))
#define COACT__CHECK_(n, no, member, good, text)                               \
    _Static_assert(COACT__IS_GOOD_NO(no),                                      \
                   "struct " #n ": the number of " #member                     \
                   " must be 1 to 536870911, without 19000 to 19999");         \
    _Static_assert(good, "struct " #n ": " #member " " text)
#define COACT__CHECK_SELF(n, no, member)                                       \
    COACT__CHECK_(n, no, member,                                               \
                  COACT__KIND(COACT__MEMBER(n, member)) != COACT_KIND_NONE,    \
                  "has a type that does not say its kind: write one of TEXT, " \
                  "BYTES, REF, ENUM, NESTED or REPEATED behind it")
#define COACT__CHECK_TEXT(n, no, member)                                       \
    COACT__CHECK_(n, no, member,                                               \
                  COACT__IS(coact_text, COACT__MEMBER(n, member)),             \
                  "is TEXT, so it must be a coact_text")
#define COACT__CHECK_BYTES(n, no, member)                                      \
    COACT__CHECK_(n, no, member,                                               \
                  COACT__IS(coact_bytes, COACT__MEMBER(n, member)),            \
                  "is BYTES, so it must be a coact_bytes")
#define COACT__CHECK_REF(n, no, member)                                        \
    COACT__CHECK_(n, no, member,                                               \
                  COACT__KIND(COACT__MEMBER(n, member)) == COACT_KIND_REF ||   \
                      COACT__IS_REF_SIZED(COACT__MEMBER(n, member)),           \
                  "is REF, so it must be a coact_ref or a typed one")
#define COACT__CHECK_ENUM(n, no, member)                                       \
    COACT__CHECK_(n, no, member,                                               \
                  COACT__IS_ENUM_LIKE(COACT__MEMBER(n, member)),               \
                  "is ENUM, so it must be an enum or an int")
#define COACT__CHECK_OF_NESTED(n, no, member, inner)                           \
    COACT__CHECK_(n, no, member,                                               \
                  COACT__IS(struct inner, COACT__MEMBER(n, member)),           \
                  "is NESTED, so it must be a struct " #inner)
#define COACT__CHECK_REPEATED(n, no, member)                                   \
    COACT__CHECK_LIST(n, no, member,                                           \
                      COACT__KIND(COACT__ITEM(n, member)) != COACT_KIND_NONE,  \
                      "has items whose type does not say their kind: write "   \
                      "REPEATED_REF, REPEATED_ENUM, or the message's name "    \
                      "behind REPEATED")
#define COACT__CHECK_REPEATED_REF(n, no, member)                               \
    COACT__CHECK_LIST(n, no, member,                                           \
                      COACT__IS_REF_SIZED(COACT__ITEM(n, member)),             \
                      "is REPEATED_REF, so its items must be addresses")
#define COACT__CHECK_REPEATED_ENUM(n, no, member)                              \
    COACT__CHECK_LIST(n, no, member,                                           \
                      COACT__IS_ENUM_LIKE(COACT__ITEM(n, member)),             \
                      "is REPEATED_ENUM, so its items must be enums or ints")
#define COACT__CHECK_OF_REPEATED(n, no, member, inner)                         \
    COACT__CHECK_LIST(n, no, member,                                           \
                      COACT__IS(struct inner, COACT__ITEM(n, member)),         \
                      "is REPEATED, so its items must be of struct " #inner);  \
    _Static_assert(_Alignof(struct inner) <= _Alignof(max_align_t),            \
                   "struct " #n ": the items of " #member                      \
                   " need more alignment than coact_list_new gives")

/* A list has the layout of COACT_REPEATED whatever its items are: the codec
   reads all of them as one struct. */
#define COACT__CHECK_LIST(n, no, member, good, text)                           \
    COACT__CHECK_(n, no, member, good, text);                                  \
    _Static_assert(                                                            \
        sizeof(COACT__MEMBER(n, member)) == sizeof(COACT_REPEATED(char)) &&    \
            COACT__IS(size_t, COACT__MEMBER(n, member).count) &&               \
            offsetof(struct n, member.count) ==                                \
                offsetof(struct n, member) + sizeof(void *),                   \
        "struct " #n ": declare " #member " with COACT_REPEATED(type)")

/* A typed address is a union with a coact_ref in it, so only its size tells. */
#define COACT__IS_REF_SIZED(x)                                                 \
    (sizeof(x) == sizeof(coact_ref) && COACT__KIND(x) != COACT_KIND_TEXT &&    \
     COACT__KIND(x) != COACT_KIND_BYTES)
#define COACT__IS_ENUM_LIKE(x)                                                 \
    (COACT__KIND(x) == COACT_KIND_I32 || COACT__KIND(x) == COACT_KIND_U32)

/*
 * The whole.  The first line is a tentative definition, so that a message may
 * hold a list of its own kind; the last is a typedef, so that the user's
 * semicolon ends a declaration.
 */
#define COACT__DECLARE(n) COACT__UNUSED static struct coact_type coact_type_##n

#define COACT__FIELDS(n, ...)                                                  \
    COACT__EACH(COACT__CHECK, n, __VA_ARGS__)                                  \
    COACT__UNUSED static inline void coact__once_in_##n(unsigned long x)       \
    {                                                                          \
        switch (x) {                                                           \
            COACT__EACH(COACT__USE_NO, n, __VA_ARGS__)                         \
        default:                                                               \
            break;                                                             \
        }                                                                      \
        switch (x) {                                                           \
            COACT__EACH(COACT__USE_AT, n, __VA_ARGS__)                         \
        default:                                                               \
            break;                                                             \
        }                                                                      \
    }                                                                          \
    COACT__UNUSED static const struct coact_field coact__fields_of_##n[] = {   \
        COACT__EACH(COACT__ROW, n, __VA_ARGS__)}

#define COACT__DESCRIPTOR(n, list, many, answer, drop, stays)                  \
    COACT__UNUSED static struct coact_type coact_type_##n = {                  \
        .name = #n,                                                            \
        .size = sizeof(struct n),                                              \
        .align = _Alignof(struct n),                                           \
        .fields = (list),                                                      \
        .field_count = (many),                                                 \
        .reply = (answer),                                                     \
        .destroy = (drop),                                                     \
        .local = (stays)}

/* A message with fields. */
#define COACT__MESSAGE(n, answer, drop, ...)                                   \
    COACT__DECLARE(n);                                                         \
    COACT__FIELDS(n, __VA_ARGS__);                                             \
    COACT__DESCRIPTOR(n, coact__fields_of_##n,                                 \
                      sizeof(coact__fields_of_##n) /                           \
                          sizeof(coact__fields_of_##n[0]),                     \
                      answer, drop, 0)

/* Descriptors hold void (*)(void *): a function of another type may not be
   called through that, so the user's destructor gets a wrapper. */
#define COACT__DESTRUCTOR(n, function)                                         \
    COACT__UNUSED static void coact__destroy_##n(void *message)                \
    {                                                                          \
        struct n *mine = message;                                              \
        function(mine);                                                        \
    }                                                                          \
    COACT__DECLARE(n)

#endif
