from mtdemo.serving.lru_cache import LruCache


def test_the_least_recently_used_leaves_first() -> None:
    cache: LruCache[str, str] = LruCache(10, len)
    cache.put("a", "xxxx")
    cache.put("b", "xxxx")
    assert cache.get("a") == "xxxx"
    cache.put("c", "xxxx")
    assert cache.get("b") is None
    assert cache.get("a") == cache.get("c") == "xxxx"
    assert (len(cache), cache.size) == (2, 8)


def test_sizes_are_followed_when_an_entry_is_replaced() -> None:
    cache: LruCache[str, str] = LruCache(10, len)
    cache.put("a", "xxxxxxxx")
    cache.put("a", "xx")
    assert (len(cache), cache.size) == (1, 2)


def test_what_is_too_large_by_itself_is_not_kept_and_drives_nobody_out() -> None:
    cache: LruCache[str, str] = LruCache(5, len)
    cache.put("a", "xx")
    cache.put("b", "xxxxxx")
    assert cache.get("b") is None
    assert cache.get("a") == "xx"


def test_the_number_of_entries_is_bounded_too() -> None:
    cache: LruCache[int, str] = LruCache(1000, len, max_entries=2)
    for number in range(5):
        cache.put(number, "x")
    assert [number for number in range(5) if cache.get(number)] == [3, 4]


def test_size_zero_keeps_nothing() -> None:
    cache: LruCache[int, str] = LruCache(0, len)
    cache.put(1, "x")
    assert len(cache) == 0
