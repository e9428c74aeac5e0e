/* A value is copied as a C string. */
// want: value-damaged Texts.get
// explore
#define STORED_SIZE(at, size) strnlen((const char *)(at), size)
#include "texts.h"
