// A thing is found by its name before there is memory for it to be found by its price.
// want: half-done Basket.put
// says: basket.hpp:15,
#define BASKET_PUT(name, price)  \
    prices.emplace(name, price); \
    byPrice.emplace(price, name)
#include "basket.hpp"
