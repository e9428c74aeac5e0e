/* All instances have one state. */
// want: instances-mixed
// explore
#define STATE static struct store the_state;
#define OF_SELF(s) ((void)(s), &the_state)
#define ON_SHUTDOWN (forget(&the_state), free_data(&the_state), memset(&the_state, 0, sizeof the_state))
#include "texts.h"
