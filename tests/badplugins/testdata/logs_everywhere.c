/* Logs in init, in a call, in shutdown, and from a thread of its own that
 * outlives shutdown. */
#define OWN_INIT
#define OWN_SHUTDOWN
#include "plugin.h"
#include <pthread.h>
#include <unistd.h>

static int go[2];
static void *later(void *arg) {
    char c;
    while (read(go[0], &c, 1) != 1) continue;
    host->log(NYASH_LOG_INFO, "from a thread after shutdown");
    host->wake(7);
    return arg;
}
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
    host = h;
    info->type_id = 900;
    info->type_name = "Fault";
    h->log(NYASH_LOG_INFO, "in init");
    pthread_t thread;
    if (pipe(go) != 0 || pthread_create(&thread, NULL, later, NULL) != 0) return NYASH_E_PLUGIN;
    pthread_detach(thread);
    return NYASH_OK;
}
static int32_t fault(uint8_t *result, size_t *result_len) {
    (void)result, (void)result_len;
    host->log(NYASH_LOG_INFO, "in a call");
    host->wake(6);
    return NYASH_OK;
}
void nyash_plugin_shutdown(void) {
    host->log(NYASH_LOG_INFO, "in shutdown");
    if (write(go[1], "x", 1) != 1) abort();
}
