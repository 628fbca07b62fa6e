//! The Broker on Redis lists.
