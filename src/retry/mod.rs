//! What happens after a failure: the table of spec S9.
