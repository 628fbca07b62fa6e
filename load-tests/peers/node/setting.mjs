// What whoever measures asks for, by environment.

export const name = process.env.PEER_QUEUE;
// The best documented settings for many short tasks; otherwise the defaults, as they decide what a crash costs.
export const fast = process.env.PEER_SETTINGS === "fast";
// Options, not a client: BullMQ closes only a client that it made itself.
export const connection = { url: process.env.PEER_SERVER, maxRetriesPerRequest: null };
