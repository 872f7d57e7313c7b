"""flexlogger in other libraries' places: each module needs its library, and only the public API of ours."""
