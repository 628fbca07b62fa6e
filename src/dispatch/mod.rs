//! The door: classifies, admits and places new tasks.
