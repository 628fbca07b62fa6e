//! The Store in Redis.
