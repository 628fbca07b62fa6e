-- Which tasks came when.

local new_ids = {}
local function note_new(id) new_ids[#new_ids + 1] = id end

-- `kept`: milliseconds after which a task that came with these is found by the walk over all keys.
local function put_recent(kept)
  if #new_ids == 0 then return end
  local key = recent_key(math.floor(now / RECENT_STEP))
  local ids = table.concat(new_ids)
  if redis.call('APPEND', key, ids) == #ids then redis.call('PEXPIRE', key, kept + 2 * RECENT_STEP) end
end
