/* A plugin that shows what its host does. Box TYPE_NAME, type TYPE_ID. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "nyash_plugin.h"

#ifndef TYPE_ID
#define TYPE_ID 700
#endif
#ifndef TYPE_NAME
#define TYPE_NAME "Probe"
#endif

enum {
    ADD = 1,
    ECHO,
    SELF,
    MAKE,
    HOLD,
    RELEASE,
    HOLDING,
    BIRTHS,
    FINIS,
    THREAD,
    OVERLAP,
    TAKE,
    OTHER,
    INITS,
    DEMAND,
    CALLS,
    NOTHING,
    SAY,
    REFUSE,
    SELF_AGAIN,
    NAME
};

static const NyashHostVtable *host;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t last_id;
static int64_t births, finis, inits, holding, running, most_running, calls;
static bool released;
static pthread_t init_thread;

static void say(const char *what, unsigned number) {
    char line[80];
    if (host == NULL) return;
    snprintf(line, sizeof line, "%s %s %u", TYPE_NAME, what, number);
    host->log(NYASH_LOG_INFO, line);
}

static uint32_t next_id(void) {
    pthread_mutex_lock(&lock);
    uint32_t id = ++last_id;
    births++;
    pthread_mutex_unlock(&lock);
    return id;
}

/* Runs a while, so that calls which may overlap do. */
static int64_t overlap(void) {
    pthread_mutex_lock(&lock);
    if (++running > most_running) most_running = running;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 200; i++) sched_yield();
    pthread_mutex_lock(&lock);
    running--;
    int64_t most = most_running;
    pthread_mutex_unlock(&lock);
    return most;
}

static void hold(void) {
    pthread_mutex_lock(&lock);
    holding++;
    while (!released) pthread_cond_wait(&changed, &lock);
    holding--;
    pthread_mutex_unlock(&lock);
}

static void release(void) {
    pthread_mutex_lock(&lock);
    released = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int64_t get(const int64_t *v) {
    pthread_mutex_lock(&lock);
    int64_t now = *v;
    pthread_mutex_unlock(&lock);
    return now;
}

NYASH_EXPORT int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance,
                                         const uint8_t *args, size_t args_len, uint8_t *result,
                                         size_t *result_len) {
    int64_t a, b;
    uint32_t handle[2];
    if (type_id != TYPE_ID) return NYASH_E_INVALID_TYPE;
    switch (method) {
    case NYASH_METHOD_BIRTH: {
#ifdef HOLD_SECOND_BIRTH
        if (get(&births) == 1) hold();
#endif
        uint32_t id = next_id();
        memcpy(result, &id, 4);
        *result_len = 4;
        return NYASH_OK;
    }
    case NYASH_METHOD_FINI:
        pthread_mutex_lock(&lock);
        finis++;
        pthread_mutex_unlock(&lock);
        say("fini", instance);
        return NYASH_OK;
    case ADD:
        if (args_len != 28) return NYASH_E_INVALID_ARGS;
        memcpy(&a, args + 8, 8);
        memcpy(&b, args + 20, 8);
        return answer_i64(result, result_len, a + b);
    case ECHO:
        if (*result_len < args_len) {
            *result_len = args_len;
            return NYASH_E_SHORT_BUFFER;
        }
        memcpy(result, args, args_len);
        *result_len = args_len;
        return NYASH_OK;
    case SELF:
    case SELF_AGAIN:
        return answer_handle(result, result_len, TYPE_ID, instance);
    case MAKE:
        return answer_handle(result, result_len, TYPE_ID, next_id());
    case HOLD:
        hold();
        return NYASH_OK;
    case RELEASE:
        release();
        return NYASH_OK;
    case HOLDING:
        return answer_i64(result, result_len, get(&holding));
    case BIRTHS:
        return answer_i64(result, result_len, get(&births));
    case FINIS:
        return answer_i64(result, result_len, get(&finis));
    case INITS:
        return answer_i64(result, result_len, get(&inits));
    case THREAD:
        return answer_i64(result, result_len, pthread_equal(init_thread, pthread_self()) != 0);
    case OVERLAP:
        return answer_i64(result, result_len, overlap());
    case TAKE:
        memcpy(handle, args + 8, 8);
        return answer_i64(result, result_len, handle[1]);
    case NAME: /* a handle of any type and instance */
        memcpy(&a, args + 8, 8);
        memcpy(&b, args + 20, 8);
        return answer_handle(result, result_len, (uint32_t)a, (uint32_t)b);
    case OTHER:
        return answer_handle(result, result_len, 701, 4242);
    case DEMAND: /* legal: asks for room and then uses little of it */
        if (*result_len < 100000) {
            *result_len = 100000;
            return NYASH_E_SHORT_BUFFER;
        }
        return answer_i64(result, result_len, (int64_t)*result_len);
    case CALLS:
        pthread_mutex_lock(&lock);
        a = ++calls;
        pthread_mutex_unlock(&lock);
        return answer_i64(result, result_len, a);
    case NOTHING:
        return NYASH_OK;
    case REFUSE:
        answer(result, result_len, NYASH_TAG_STRING, "not today", 9);
        return NYASH_E_PLUGIN;
    case SAY:
        say("says", instance);
        return NYASH_OK;
    }
    return NYASH_E_INVALID_METHOD;
}

#ifdef BATCH
NYASH_DEFINE_INVOKE_BATCH
#endif

#ifdef BATCH_LIES /* says that it made more than it was asked, and makes none */
NYASH_EXPORT size_t nyash_plugin_invoke_batch(NyashCall *c, size_t count) {
    c->code = NYASH_OK;
    return count + 5;
}
#endif

#ifndef INVOKE_ONLY
NYASH_EXPORT uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }

NYASH_EXPORT int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
    host = h;
    init_thread = pthread_self();
    inits++;
    info->type_id = TYPE_ID;
    info->type_name = TYPE_NAME;
    return NYASH_OK;
}

NYASH_EXPORT void nyash_plugin_shutdown(void) {
    say(pthread_equal(init_thread, pthread_self()) ? "shutdown on the thread of init" : "shutdown", 0);
}
#endif

/* A table for the box beside the rest. */
#ifdef TABLE
static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    return nyash_plugin_invoke(TYPE_ID, method, instance, args, args_len, result, result_len);
}

extern NYASH_EXPORT const NyashTypeBox nyash_typebox_Probe;
const NyashTypeBox nyash_typebox_Probe = {NYASH_TYPEBOX_TAG, NYASH_TYPEBOX_VERSION, sizeof(NyashTypeBox), TYPE_NAME, NULL, invoke_id, 0};
#endif
