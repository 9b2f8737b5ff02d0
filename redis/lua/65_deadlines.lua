-- Deadlines: what is due, whose turn it is to see to that, and what then happens.
-- A member of due says what it is about; an old one that means nothing any more
-- does no harm.

local house = {}                    -- what keeps order, beside sessions

do  -- Lua takes 200 local names in a block

local function session_due(c)
    local left = call('PTTL', c.k[SESSION])
    if left > 0 then
        if call('EXISTS', c.k[RUNNING]) == 1 then
            due(c, 's', nil, c.now + left + 1)
        end
        return
    end
    lose(c, 'no POST within the session time-out')
end

local function expiry_due(c, id)
    if not call('ZSCORE', c.k[QUEUE], id) then
        return
    end
    local task = load_task(c, id)
    if task and task.expires then
        if task.expires * 1000 > c.now then
            return due(c, 'x', id, task.expires * 1000)
        end
        finish(c, id, 'expired')
    end
end

local function waiting_due(c, id)
    local entry = call('HGET', c.k[WAITING], id)
    if not entry then
        return
    end
    local w = load_waiting(c, id, entry)
    if not w then
        return
    end
    if w.deadline > c.now then
        return due(c, 'w', id, w.deadline)
    end
    local task = task_of(c, w)
    if not task then
        return
    end
    -- what it set can be read back, however late
    local reads_back = w.method == 'SetParameterValues' and not task.retry
    if not w.answered and (task.retry or reads_back) then
        no_longer_waits(c, w)
        return send_again(c, w, task, reads_back and 'verify' or nil)
    end
    local device = { q = call('HGET', c.k[DEVICE], 'quirks') }
    local tells = quirk(device, 'transferComplete') ~= false
                  or (w.before or '') == ''
    awaited(c, w, 'lost', { fault = reason_json(w.answered
            and (tells and 'the CPE accepted it, but the event that ends it '
                           .. 'did not come'
                 or 'the CPE accepted it, but its SoftwareVersion is still '
                    .. w.before)
            or 'sent, but the session ended before the answer, and nothing '
               .. 'that came later tells whether it was done') })
end

local DEADLINES = { s = session_due, x = expiry_due, w = waiting_due,
                    g = sweep }

-- keys as for the step; args: id, the member of due: "KIND ID" or "KIND ID
-- TASK".  One that cannot be kept now is tried again in a minute.
local function cwmp_deadline_1(keys, args)
    local c = context(keys, args[1])
    local kind, task = string.match(args[2], '^(%a) %S+ ?(%S*)$')
    call('ZREM', c.k[DUE], args[2])
    if DEADLINES[kind] then
        local ok, why = pcall(function()
            check_keys(c)
            DEADLINES[kind](c, task)
        end)
        if not ok then
            call('ZADD', c.k[DUE], c.now + 60000, args[2])
            note(c, 'deadline "' .. args[2] .. '" cannot be kept: '
                    .. (type(why) == 'table' and why.err or tostring(why)))
        end
    end
    -- no request's log line names the device here
    for i, text in ipairs(c.notes) do
        c.notes[i] = text .. ', device: ' .. c.id
    end
    return { 'ok', c.notes }
end

--[[
  The same, by a worker that holds the lock still; keys: due:lock as well, as
  the last; args: the token that cwmp_due_2 gave, and how long the lock holds in
  ms, as well.  One that was stopped for longer than the lock holds, and goes
  on, does nothing: its token is not in the lock any more.
]]
local function cwmp_deadline_2(keys, args)
    local lock = keys[#keys]
    keys[#keys] = nil
    if call('GET', lock) ~= args[3] then
        return { 'fenced', {} }
    end
    call('PEXPIRE', lock, args[4])
    return cwmp_deadline_1(keys, args)
end

-- Nobody's is one that lasts longer than any: of before the clock was set back.
function house.is_held(lock, most)
    local left = call('PTTL', lock)
    return left >= 0 and left <= tonumber(most)
end

-- keys: due, due:lock; args: who asks, how long the lock holds in ms, how many
-- at most.  What is due now, for one asker at a time.
local function cwmp_due_1(keys, args)
    local owner = call('GET', keys[2])
    if owner and owner ~= args[1] and house.is_held(keys[2], args[2]) then
        return {}
    end
    call('SET', keys[2], args[1], 'PX', args[2])
    return call('ZRANGEBYSCORE', keys[1], '-inf', context(keys).now, 'LIMIT', 0,
                args[3])
end

house.waiting_due = waiting_due
redis.register_function('cwmp_deadline_1', cwmp_deadline_1)
redis.register_function('cwmp_deadline_2', cwmp_deadline_2)
redis.register_function('cwmp_due_1', cwmp_due_1)

end

--[[
  The same; who holds the lock also makes the partition's pass of mend, a slice
  a call, when nothing else is to be done.  The token that the lock holds (empty:
  it is another's), what is due, in how many ms to ask for the next slice (0: as
  usual), and what was mended.
]]
local function cwmp_due_2(keys, args)
    local lock = call('GET', keys[2])
    local own = lock and string.match(lock, '^(%S+) ') == args[1]
    if lock and not own and house.is_held(keys[2], args[2]) then
        return { '', {}, 0, {} }
    end
    local second, us = clock()
    lock = own and lock or args[1] .. ' ' .. second .. us
    call('SET', keys[2], lock, 'PX', args[2])
    local now = second .. string.sub(us, 1, 3)
    local members = call('ZRANGEBYSCORE', keys[1], '-inf', now, 'LIMIT', 0,
                         args[3])
    if members[1] then
        return { lock, members, 0, {} }
    end
    return { lock, members, house.pass(string.sub(keys[1], 1, -4),
                                       tonumber(second)) }
end

house.due = cwmp_due_2
