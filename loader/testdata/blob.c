/* A plugin that takes and gives blobs, and lies about them. Box Blobs, type 710. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "nyash_plugin.h"

enum { SUM = 1, GIVE, LIE, ECHO, UNDECLARED, LENGTH, BYTES };

/* What LIE does. */
enum { NOWHERE = 1, UNREADABLE, TOO_LONG, OWN_MEMORY, TWICE, FREED, HUGE_LENGTH, FREE_AFTERWARDS, FREE_IT, EMPTY };

static const NyashHostVtable *host;
static uint8_t own[16] = "plugin's memory";
static uint8_t *kept;

static int32_t lie(int64_t how, uint8_t *result, size_t *result_len) {
    uint8_t *block = host->alloc(16);
    switch (how) {
    case NOWHERE:
        host->free(block);
        return answer_blob(result, result_len, NULL, 5);
    case UNREADABLE:
        host->free(block);
        return answer_blob(result, result_len, (void *)(uintptr_t)0x10000, 5);
    case TOO_LONG:
        return answer_blob(result, result_len, block, 17);
    case OWN_MEMORY:
        host->free(block);
        return answer_blob(result, result_len, own, sizeof own);
    case TWICE:
        if (kept == NULL) {
            kept = block;
            memcpy(kept, "given twice", 11);
        } else {
            host->free(block);
        }
        return answer_blob(result, result_len, kept, 11);
    case FREED:
        host->free(block);
        return answer_blob(result, result_len, block, 16);
    case HUGE_LENGTH:
        host->free(block);
        return answer_blob(result, result_len, own, UINT64_MAX);
    case FREE_AFTERWARDS:
        kept = block;
        memset(block, 'x', 16);
        return answer_blob(result, result_len, block, 16);
    case FREE_IT:
        host->free(block);
        host->free(kept);
        return answer_blob(result, result_len, NULL, 0);
    case EMPTY:
        return answer_blob(result, result_len, block, 0);
    }
    host->free(block);
    return NYASH_E_INVALID_ARGS;
}

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

int32_t nyash_plugin_init(const NyashHostVtable *vtable, NyashPluginInfo *info) {
    host = vtable;
    info->type_id = 710;
    info->type_name = "Blobs";
    return NYASH_OK;
}

int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    uint64_t blob[2] = {0, 0};
    int64_t number = 0, sum = 0;
    uint32_t id = 1;
    (void)instance;
    if (type_id != 710) return NYASH_E_INVALID_TYPE;
    switch (method) {
    case NYASH_METHOD_BIRTH:
        memcpy(result, &id, 4);
        *result_len = 4;
        return NYASH_OK;
    case NYASH_METHOD_FINI:
        *result_len = 0;
        return NYASH_OK;
    case SUM:
    case ECHO:
    case UNDECLARED:
    case LENGTH:
        if (args_len != 24 || args[4] != NYASH_TAG_BLOB) return NYASH_E_INVALID_ARGS;
        memcpy(blob, args + 8, 16);
        break;
    case GIVE:
    case LIE:
        if (args_len != 16) return NYASH_E_INVALID_ARGS;
        memcpy(&number, args + 8, 8);
        break;
    case BYTES:
        if (*result_len < args_len) {
            *result_len = args_len;
            return NYASH_E_SHORT_BUFFER;
        }
        memcpy(result, args, args_len);
        *result_len = args_len;
        return NYASH_OK;
    default:
        return NYASH_E_INVALID_METHOD;
    }
    const uint8_t *data = (const uint8_t *)(uintptr_t)blob[0];
    switch (method) {
    case SUM:
        /* The host's log may need a great deal of stack: whatever it does, the
         * memory that was lent stays where it is. */
        host->log(NYASH_LOG_DEBUG, "summing");
        for (uint64_t i = 0; i < blob[1]; i++) sum += data[i];
        return answer(result, result_len, NYASH_TAG_I64, &sum, 8);
    case LENGTH:
        return answer(result, result_len, NYASH_TAG_I64, &blob[1], 8);
    case ECHO:
    case UNDECLARED: {
        uint8_t *copy = host->alloc(blob[1]);
        if (blob[1] > 0) memcpy(copy, data, blob[1]);
        return answer_blob(result, result_len, copy, blob[1]);
    }
    case GIVE: {
        uint8_t *block = host->alloc((size_t)number);
        if (block == NULL) return NYASH_E_OUT_OF_MEMORY;
        for (int64_t i = 0; i < number; i++) block[i] = (uint8_t)i;
        return answer_blob(result, result_len, block, (uint64_t)number);
    }
    }
    return lie(number, result, result_len);
}

NYASH_DEFINE_INVOKE_BATCH

void nyash_plugin_shutdown(void) {}
