//! Networks against pictures whose classes are known.
