// Door takes a Key, with TAKES, or returns one, under a name that the test gives: NAME.
#include "nyash.hpp"

class Key {
public:
    static constexpr const char *box_name = NAME;
};

class Door {
public:
#ifdef TAKES
    explicit Door(const Key &) {}
#else
    explicit Door(const Door &, bool = true) {}
#endif
    Key lend() { return Key(); }
};

static constexpr NyashMethod key_methods[] = {nyash::constructor<Key>()};
static constexpr NyashMethod methods[] = {
#ifdef TAKES
    nyash::constructor<Door, const Key &>({"key"}),
#else
    nyash::constructor<Door, const Door &>({"other"}),
    nyash::method<&Door::lend>(1, "lend"),
#endif
};
static constexpr NyashBox key = nyash::box<Key>("Key", 1, key_methods);
static constexpr NyashBox door = nyash::box<Door>("Door", 2, methods);

NYASH_PLUGIN(&key, &door)

#include "typo.h"
