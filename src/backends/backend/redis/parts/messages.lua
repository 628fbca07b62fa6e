-- Messages and the entries that name them.

local function entry(id, generation) return id .. struct.pack(ENTRY_GENERATION_FORMAT, generation) end

local function entry_of(id, record) return entry(id, record.generation) end

local function id_of(an_entry) return sub(an_entry, ENTRY_ID_OFFSET, ENTRY_GENERATION_OFFSET - 1) end

-- The digit of a message's priority, or nil where an entry and its value are no message: its body is looked
-- at by the worker that runs it.
local function priority_of(an_entry, value)
  if #an_entry ~= ENTRY_WIDTH or not value or #value < MESSAGE_WIDTH then return nil end
  local priority = value:byte(MESSAGE_PRIORITY_OFFSET)
  return priority <= LOWEST_PRIORITY and priority or nil
end
