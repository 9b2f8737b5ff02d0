-- A POST that was refused, since it proved nobody or another: an event.

do

--[[
  Whoever can reach the ACS can make as many as he likes: some are told, and of
  the others how many they were.  keys: events and refusals of the partition of
  the user's device, never of the one that the POST claims; args: how many the
  caller has not told before this one, the device ("" when it is not known),
  the reason, and names and values of what more there is.
]]
local function cwmp_refused_1(keys, args)
    local now = tonumber(call('TIME')[1])
    local got = call('HMGET', keys[2], 'full', 'omitted')
    local full, most = tonumber(got[1]) or 0, BOUND.refusals * BOUND.refused
    local omitted = (tonumber(got[2]) or 0) + args[1]
    if full < now or full > now + most then     -- or the clock was set back
        full = now
    end
    if full + BOUND.refused > now + most then
        call('HSET', keys[2], 'omitted', omitted + 1)
        return 'OK'
    end
    call('HSET', keys[2], 'full', full + BOUND.refused, 'omitted', 0)
    local c = { k = { [EVENTS] = keys[1] }, id = args[2], notes = {} }
    local told = { 'reason', args[3] }
    for i = 4, #args do
        told[i - 1] = string.gsub(string.sub(args[i], 1, 256), '[^\32-\126]',
                                  '?')
    end
    if omitted > 0 then
        told[#told + 1] = 'omitted'
        told[#told + 1] = omitted
    end
    event(c, 'auth failure', unpack(told))
    return c.notes[1] or 'OK'
end

redis.register_function('cwmp_refused_1', cwmp_refused_1)

end
