/* It keeps a pointer to its arguments. */
// want: args-kept Counter.get
// may: short-buffer-side-effect
// wasm: nothing: memory of the last call stays readable
#include <stdint.h>
static const uint8_t *kept;
#define ON_SET kept = data
#define ON_GET if (kept != NULL) c->n += kept[0]
#define ON_SHUTDOWN kept = NULL
#include "counter.h"
