/* What the examples take for granted: the rest of the plugin that they are cut from. */
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nyash_plugin.h"

extern const NyashHostVtable *host; /* what nyash_plugin_init was given */
extern const NyashHostCalls *calls; /* what nyash_plugin_connect was given */

typedef struct Counter { /* an instance */
    uint32_t id;
    int64_t n;
    char *text; /* size bytes */
    size_t size;
    FILE *file;
    int fd;
    uint32_t console, console_type; /* an instance of a box of the host */
    pthread_mutex_t lock;
} Counter;

/* The table of instances. find returns NULL for an id that is not there. */
Counter *find(uint32_t id);
Counter *add_instance(void);
void remove_instance(Counter *c);
extern Counter *instances[1024];

/* Write one value into the result buffer, or answer NYASH_E_SHORT_BUFFER. */
int32_t put_i64(uint8_t *result, size_t *result_len, int64_t n);
int32_t put_string(uint8_t *result, size_t *result_len, const char *text, size_t size);
int32_t put_bytes(uint8_t *result, size_t *result_len, const void *data, size_t size);
int32_t put_blob(uint8_t *result, size_t *result_len, const void *data, size_t size);

/* Read the one value of a message, wholly checked; 0 where it is another. */
int get_i64(const uint8_t *args, size_t args_len, int64_t *n);
int get_string(const uint8_t *args, size_t args_len, const char **text, size_t *size);
int get_handle(const uint8_t *args, size_t args_len, uint32_t *type_id, uint32_t *instance_id);
