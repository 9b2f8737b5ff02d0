-- A POST that was refused, since it proved nobody or another: an event.

do

--[[
  keys: events and refusals of the partition of the user's device, never of the
  one that the POST claims; args: how many the caller has not told before this
  one, the device ("" when it is not known), the reason, and names and values of
  what more there is.
]]
local function cwmp_refused_1(keys, args)
    local c = { k = { [EVENTS] = keys[1] }, id = args[2], notes = {} }
    local told = { 'reason', args[3] }
    for i = 4, #args do
        told[i - 1] = string.gsub(string.sub(args[i], 1, 256), '[^\32-\126]',
                                  '?')
    end
    several.tell(c, keys[2], 'auth failure', tonumber(call('TIME')[1]), args[1],
                 told)
    return c.notes[1] or 'OK'
end

redis.register_function('cwmp_refused_1', cwmp_refused_1)

end
