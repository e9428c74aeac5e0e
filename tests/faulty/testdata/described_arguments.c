/* A method takes other arguments than the self-description says. */
// want: args-type Counter.get
#define CONFIG BOX_TEXT "[plugins.Counter.methods]\nget = { args = [ 'what' ] }\n"
#include "counter.h"
