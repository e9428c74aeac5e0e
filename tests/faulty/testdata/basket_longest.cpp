// How long names are at most is noted without a lock, beside a count that is atomic. No answer tells.
// want: possible-race Basket.put
#include <atomic>
#include <cstddef>

static std::atomic<size_t> things{0};
static size_t longest;

#define BASKET_PUT(name, price)                                     \
    const std::string text = name;                                  \
    if (text.size() > longest) longest = text.size();               \
    std::set<std::pair<int64_t, std::string>> fresh{{price, text}}; \
    prices.emplace(text, price);                                    \
    byPrice.merge(fresh);                                           \
    things.fetch_add(1)
#include "basket.hpp"
