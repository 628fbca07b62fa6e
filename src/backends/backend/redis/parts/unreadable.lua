-- What cannot be read must cost itself alone: it is kept under another name, and told of.

-- Of more than these the oldest are not told of.
local ASIDE_TOLD = 10000
-- 30 days: so long it can be looked at.
local ASIDE_KEPT = 2592000000

local function tell_unreadable(what, name)
  redis.call('RPUSH', SET_ASIDE, what .. name)
  redis.call('LTRIM', SET_ASIDE, -ASIDE_TOLD, -1)
end

local function set_value_aside(what, name, value)
  redis.call('SET', set_aside_key(what, name), value or '', 'PX', ASIDE_KEPT)
  tell_unreadable(what, name)
end

-- A whole key, whatever its type.
local function set_key_aside(what, name, key)
  redis.call('RENAME', key, set_aside_key(what, name))
  redis.call('PEXPIRE', set_aside_key(what, name), ASIDE_KEPT)
  tell_unreadable(what, name)
end

-- The error of a command that met a value of another type than its own.
local function is_wrong_type(answer)
  return type(answer) == 'table' and answer.err and answer.err:find('WRONGTYPE')
end
