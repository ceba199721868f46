/*
 * frame.c - frames to bytes and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/frame.h"

#include <string.h>

/* Offsets in a handshake frame. */
enum {
    AT_TYPE = 0,
    AT_VERSION = 1,
    AT_FROM = 4,
    AT_TO = 8,
    AT_WINDOW = 12,
    AT_INCARNATION = 16,
    AT_MESSAGE_MAX = 24,
    AT_SESSION = 32,
    AT_KEY = 40,
    AT_ANSWERS = 72,
    AT_MAC = 104,
};

/* Offsets in a data frame's header that differ from those above. */
enum {
    AT_DATA_SESSION = 8,
    AT_DATA_SEQ = 16,
};

_Static_assert(AT_MAC + COACT__HASH_BYTES == COACT__HELLO_BYTES, "no gap");
_Static_assert(COACT__WHOLE_MAX <= COACT__RECORD_LEN_MASK, "it fits a record");

enum coact__frame_shape
coact__frame_shape(const uint8_t *frame, size_t len, uint32_t *from)
{
    if (len < COACT__FRAME_MIN) {
        return COACT__SHAPE_BAD;
    }
    uint8_t type = frame[AT_TYPE];
    if (type < COACT__FRAME_KNOCK || type > COACT__FRAME_DATA) {
        return COACT__SHAPE_BAD;
    }
    if (frame[AT_VERSION] != COACT__FRAME_VERSION) {
        return COACT__SHAPE_OTHER_VERSION;
    }
    if (frame[2] != 0 || frame[3] != 0) {
        return COACT__SHAPE_BAD;
    }
    *from = coact__get_u32(frame + AT_FROM);
    if (type == COACT__FRAME_DATA) {
        return len <= COACT__FRAME_MAX ? COACT__SHAPE_DATA : COACT__SHAPE_BAD;
    }
    return len == COACT__HELLO_BYTES ? COACT__SHAPE_HELLO : COACT__SHAPE_BAD;
}

void
coact__hello_write(const struct coact__keys *keys,
                   const struct coact__hello *hello,
                   uint8_t out[COACT__HELLO_BYTES])
{
    memset(out, 0, COACT__HELLO_BYTES);
    out[AT_TYPE] = hello->type;
    out[AT_VERSION] = COACT__FRAME_VERSION;
    coact__put_u32(out + AT_FROM, hello->from);
    coact__put_u32(out + AT_TO, hello->to);
    coact__put_u32(out + AT_WINDOW, hello->window);
    coact__put_u64(out + AT_INCARNATION, hello->incarnation);
    coact__put_u64(out + AT_MESSAGE_MAX, hello->message_max);
    coact__put_u64(out + AT_SESSION, hello->session);
    memcpy(out + AT_KEY, hello->open_key, COACT__KEY_BYTES);
    memcpy(out + AT_ANSWERS, hello->answers, COACT__HASH_BYTES);
    coact__crypto_mac(keys, out, AT_MAC, out + AT_MAC);
}

bool
coact__hello_read(const struct coact__keys *keys,
                  const uint8_t frame[COACT__HELLO_BYTES],
                  struct coact__hello *out)
{
    uint8_t mac[COACT__HASH_BYTES];
    coact__crypto_mac(keys, frame, AT_MAC, mac);
    if (!coact__crypto_equal(mac, frame + AT_MAC)) {
        return false;
    }
    out->type = frame[AT_TYPE];
    out->from = coact__get_u32(frame + AT_FROM);
    out->to = coact__get_u32(frame + AT_TO);
    out->window = coact__get_u32(frame + AT_WINDOW);
    out->incarnation = coact__get_u64(frame + AT_INCARNATION);
    out->message_max = coact__get_u64(frame + AT_MESSAGE_MAX);
    out->session = coact__get_u64(frame + AT_SESSION);
    memcpy(out->open_key, frame + AT_KEY, COACT__KEY_BYTES);
    memcpy(out->answers, frame + AT_ANSWERS, COACT__HASH_BYTES);
    return true;
}

void
coact__data_header_write(const struct coact__data *data,
                         uint8_t out[COACT__DATA_HEADER])
{
    memset(out, 0, COACT__DATA_HEADER);
    out[AT_TYPE] = COACT__FRAME_DATA;
    out[AT_VERSION] = COACT__FRAME_VERSION;
    coact__put_u32(out + AT_FROM, data->from);
    coact__put_u64(out + AT_DATA_SESSION, data->session);
    coact__put_u64(out + AT_DATA_SEQ, data->seq);
}

void
coact__data_header_read(const uint8_t frame[COACT__DATA_HEADER],
                        struct coact__data *out)
{
    out->from = coact__get_u32(frame + AT_FROM);
    out->session = coact__get_u64(frame + AT_DATA_SESSION);
    out->seq = coact__get_u64(frame + AT_DATA_SEQ);
}

void
coact__record_write(uint8_t *out, enum coact__record_kind kind, size_t len)
{
    coact__put_u32(out, (uint32_t)kind << 28 |
                            ((uint32_t)len & COACT__RECORD_LEN_MASK));
}
