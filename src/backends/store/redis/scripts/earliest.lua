-- ARGV: none. Answers the server's time, and when the first entry is due (false: there is none).
return { now, earliest() or false }
