-- ARGV: ids. Forgets tasks that have not started; one that a worker got hold of all the same goes its way.
for _, id in ipairs(ARGV) do
  local r = read(id)
  if r and (r.s == 'Q' or r.s == 'S') then
    leave(entry(id, r.g))
    redis.call('DEL', task(id))
    local key = key_of(r)
    if key and redis.call('GET', unique(key)) == id then redis.call('DEL', unique(key)) end
    count('e', r.p, -1)
  end
end
count_up()
