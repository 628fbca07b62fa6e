-- Answers the server's time, and when the first entry is due.
return { now, earliest() or false }
