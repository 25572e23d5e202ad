//! The integer network computed by candle.
