/* How plugins of tests answer: a message with one value. They look at neither the
 * size of the buffer nor what they answer with; plugins that are to last are written
 * with plugins/sdk. */
#ifndef ANSWER_H
#define ANSWER_H

#include <string.h>

#include "nyash_plugin.h"

static inline int32_t answer(uint8_t *result, size_t *result_len, int tag, const void *data, size_t size) {
    memcpy(result, "\1\0\1\0", 4);
    result[4] = (uint8_t)tag;
    result[5] = 0;
    result[6] = (uint8_t)size;
    result[7] = (uint8_t)(size >> 8);
    memcpy(result + 8, data, size);
    *result_len = 8 + size;
    return NYASH_OK;
}

static inline int32_t answer_i64(uint8_t *result, size_t *result_len, int64_t v) {
    return answer(result, result_len, NYASH_TAG_I64, &v, sizeof v);
}

static inline int32_t answer_handle(uint8_t *result, size_t *result_len, uint32_t type, uint32_t id) {
    uint32_t handle[2] = {type, id};
    return answer(result, result_len, NYASH_TAG_HANDLE, handle, sizeof handle);
}

static inline int32_t answer_blob(uint8_t *result, size_t *result_len, const void *data, uint64_t size) {
    uint64_t blob[2] = {(uintptr_t)data, size};
    return answer(result, result_len, NYASH_TAG_BLOB, blob, sizeof blob);
}

#endif
