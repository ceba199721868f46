/*
 * crypto.c - libsodium behind crypto.h.
 *
 * Every derived key has a label of its own, and a session's keys depend on the
 * cluster's secret, on fresh X25519 halves and on both handshake frames, byte
 * for byte: whoever changes a bit of the handshake, has another version of it,
 * or does not know the secret ends with other keys.  The nonce of a sealed
 * frame is its sequence number; that is safe because a session's keys live no
 * longer than its numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/crypto.h"

#include "runtime/oracle.h"
#include "runtime/transport/frame.h"

#include <sodium.h>
#include <string.h>

_Static_assert(COACT__KEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES,
               "the suite's key");
_Static_assert(COACT__SEAL_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES,
               "the suite's seal");
_Static_assert(COACT__KEY_BYTES == crypto_kx_SECRETKEYBYTES, "X25519");

int
coact__crypto_start(void)
{
    return sodium_init() < 0 ? -EIO : 0;
}

void
coact__crypto_wipe(void *bytes, size_t len)
{
    sodium_memzero(bytes, len);
}

/* BLAKE2b fails only for lengths that it does not have. */
static void
labelled(const uint8_t key[COACT__KEY_BYTES], const char *label,
         uint8_t out[COACT__KEY_BYTES])
{
    (void)crypto_generichash(out, COACT__KEY_BYTES,
                             (const unsigned char *)label, strlen(label), key,
                             COACT__KEY_BYTES);
}

void
coact__crypto_derive(struct coact__keys *keys,
                     const uint8_t secret[COACT__KEY_BYTES])
{
    labelled(secret, "coact 1 mac", keys->mac);
    labelled(secret, "coact 1 root", keys->root);
}

void
coact__crypto_hash(const void *bytes, size_t len,
                   uint8_t out[COACT__HASH_BYTES])
{
    (void)crypto_generichash(out, COACT__HASH_BYTES, bytes, len, NULL, 0);
}

void
coact__crypto_mac(const struct coact__keys *keys, const void *bytes, size_t len,
                  uint8_t out[COACT__HASH_BYTES])
{
    (void)crypto_generichash(out, COACT__HASH_BYTES, bytes, len, keys->mac,
                             COACT__KEY_BYTES);
}

bool
coact__crypto_equal(const uint8_t a[COACT__HASH_BYTES],
                    const uint8_t b[COACT__HASH_BYTES])
{
    return sodium_memcmp(a, b, COACT__HASH_BYTES) == 0;
}

void
coact__crypto_keypair(struct coact__keypair *pair)
{
    uint8_t seed[crypto_kx_SEEDBYTES];
    coact__oracle_random(seed, sizeof(seed));
    (void)crypto_kx_seed_keypair(pair->open, pair->secret, seed);
    sodium_memzero(seed, sizeof(seed));
}

static void
directional(const struct coact__keys *keys, const uint8_t *hash1,
            const uint8_t *hash2, const uint8_t *shared, uint8_t *out)
{
    static const uint8_t label[] = "coact 1 frames";
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, keys->root, COACT__KEY_BYTES,
                                  COACT__KEY_BYTES);
    (void)crypto_generichash_update(&state, label, sizeof(label));
    (void)crypto_generichash_update(&state, hash1, COACT__HASH_BYTES);
    (void)crypto_generichash_update(&state, hash2, COACT__HASH_BYTES);
    (void)crypto_generichash_update(&state, shared, COACT__KEY_BYTES);
    (void)crypto_generichash_final(&state, out, COACT__KEY_BYTES);
    sodium_memzero(&state, sizeof(state));
}

int
coact__crypto_session(const struct coact__keys *keys, bool is_initiator,
                      const struct coact__keypair *ours,
                      const uint8_t theirs[COACT__KEY_BYTES],
                      const uint8_t hash1[COACT__HASH_BYTES],
                      const uint8_t hash2[COACT__HASH_BYTES],
                      uint8_t tx[COACT__KEY_BYTES],
                      uint8_t rx[COACT__KEY_BYTES])
{
    uint8_t out[COACT__KEY_BYTES];
    uint8_t in[COACT__KEY_BYTES];
    int bad = is_initiator ? crypto_kx_client_session_keys(in, out, ours->open,
                                                           ours->secret, theirs)
                           : crypto_kx_server_session_keys(
                                 in, out, ours->open, ours->secret, theirs);
    if (bad == 0) {
        directional(keys, hash1, hash2, out, tx);
        directional(keys, hash1, hash2, in, rx);
    }
    sodium_memzero(out, sizeof(out));
    sodium_memzero(in, sizeof(in));
    return bad == 0 ? 0 : -EPROTO;
}

static void
nonce_of(uint64_t seq,
         uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(nonce, 0, 4);
    coact__put_u64(nonce + 4, seq);
}

void
coact__crypto_seal(uint8_t *out, const uint8_t *plain, size_t len,
                   const uint8_t *header, size_t header_len, uint64_t seq,
                   const uint8_t key[COACT__KEY_BYTES])
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_of(seq, nonce);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(
        out, NULL, plain, len, header, header_len, NULL, nonce, key);
}

bool
coact__crypto_open(uint8_t *sealed, size_t len, const uint8_t *header,
                   size_t header_len, uint64_t seq,
                   const uint8_t key[COACT__KEY_BYTES])
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_of(seq, nonce);
    return crypto_aead_chacha20poly1305_ietf_decrypt(sealed, NULL, NULL, sealed,
                                                     len, header, header_len,
                                                     nonce, key) == 0;
}
