//! Fuzz targets for every parser, in `tests/it`. The library itself is empty: see README.md for how to run them.
