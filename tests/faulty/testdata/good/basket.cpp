// A plugin without a fault of C++ in which memory can run out: what may fail is done before anything changes.
#define BASKET_PUT(name, price)                                     \
    std::set<std::pair<int64_t, std::string>> fresh{{price, name}}; \
    prices.emplace(name, price);                                    \
    byPrice.merge(fresh) /* does not fail */
#include "../basket.hpp"
