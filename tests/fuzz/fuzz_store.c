/* fuzz_store.c - a row of the store: as it lies there, and as if who wrote it had the secret. */
#include "core/base/memory.h"
#include "core/request/store_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(str part, str whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct store_secret secret = {{7}};
    static const struct store_key key = {{1, 2}}, other = {{1, 3}};
    struct store_entry entry, again;
    unsigned char seal[STORE_SEAL_BYTES];
    str packed = str_of((const char *)data, size);
    ASSERT(!store_unseal(&secret, &key, packed, &entry));
    struct buf sealed;
    buf_init(&sealed, 1024 * KIB);
    store_seal(&secret, &key, packed, seal);
    buf_append(&sealed, packed);
    buf_append(&sealed, str_of((const char *)seal, sizeof seal));
    ASSERT(!store_unseal(&secret, &other, buf_str(&sealed), &again));
    if (store_unseal(&secret, &key, buf_str(&sealed), &entry)) {
        ASSERT(is_inside(entry.text, buf_str(&sealed)) && is_inside(entry.model, buf_str(&sealed)));
        struct buf repacked; /* what it says is what is packed again, if it isn't too long */
        buf_init(&repacked, 1024 * KIB);
        if (store_pack(&entry, &repacked)) {
            ASSERT(repacked.len == size);
            ASSERT(size <= STORE_HEAD_BYTES ||
                   memcmp(repacked.ptr + STORE_HEAD_BYTES, data + STORE_HEAD_BYTES,
                          size - STORE_HEAD_BYTES) == 0);
        }
        buf_release(&repacked);
    }
    buf_release(&sealed);
    return 0;
}
