-- What people call for a device's tasks; the words of a refusal are for them.

function house.wrong_key(key)
    return redis.error_reply('ERR ' .. key .. " is no device's key: use "
           .. "cwmp:{0}:ID:tasks, ID being OUI-ProductClass-SerialNumber, the "
           .. "OUI in upper case, with %XX for what is not a letter, a digit "
           .. "or _")
end

--[[
  In a Cluster a slot that is being moved is half here and half there, and what
  is there looks as if it were gone.  Redis refuses a call that names several keys
  of it; one that names one it does not, so that is asked here, of two keys that
  are never there.
]]
function house.apart(key)
    local base = string.match(key, '^.-:{%d+}:')
    local got = base and redis.pcall('EXISTS', base .. 'no:1', base .. 'no:2')
    -- the words of Redis 7, and of Redis 8 and Valkey
    return type(got) == 'table'
           and (string.find(got.err, 'non local key', 1, true)
                or string.find(got.err, 'rehashing of the slot', 1, true)) ~= nil
end

-- what is beside the devices' own keys
house.KINDS = { due = 'zset', events = 'stream', quirks = 'hash',
                settings = 'hash', reconcile = 'hash', unknown = 'hash',
                refusals = 'hash',
                ['index:seen'] = 'zset', ['index:first'] = 'zset',
                ['index:model'] = 'zset', ['index:version'] = 'zset',
                ['index:tag'] = 'zset', ['index:quarantine'] = 'zset',
                ['index:announced'] = 'zset', ['index:denied'] = 'zset' }

-- Which key of this partition, or of this device, is not what it must be, and
-- how; nil when all are.
function house.wrong_kind(key)
    local base = string.match(key, '^.-:{%d+}:')
    for name, kind in pairs(base and house.KINDS or {}) do
        local is = call('TYPE', base .. name).ok
        if is ~= kind and is ~= 'none' then
            return base .. name .. ' is a ' .. is .. ', but must be a ' .. kind
                   .. ': rename or delete it'
        end
    end
    local k, id = device_keys(key)
    if k then
        local c = context(k, id)
        local ok, wrong = pcall(function()
            check_kinds(c, KINDS)
            check_kinds(c, { [TASKS] = 'list' })
            check_numbers(c)
        end)
        return not ok and string.gsub(wrong.err or wrong, '^ERR ', '') or nil
    end
end

-- f, whose error names the key that is to blame, if one is
function house.named(f)
    return function(keys, args)
        if not keys[1] then
            return redis.error_reply('ERR it needs a key')
        end
        local ok, reply = pcall(f, keys, args)
        if ok then
            return reply
        end
        local asked, wrong = pcall(house.wrong_kind, keys[1])
        if asked and wrong then
            return redis.error_reply('ERR ' .. wrong)
        end
        error(reply, 0)
    end
end

-- the same, of one key, as it is registered
function house.whole(f)
    return house.named(function(keys, args)
        if house.apart(keys[1]) then
            return redis.error_reply('TRYAGAIN the slot of ' .. keys[1]
                                     .. ' is being moved')
        end
        return f(keys, args)
    end)
end

-- the same of f(k, id, args), for a key of a device
function house.of_device(f)
    return house.whole(function(keys, args)
        local k, id = device_keys(keys[1])
        if not k then
            return house.wrong_key(keys[1])
        end
        return f(k, id, args)
    end)
end

-- what was pushed plainly before; true when not all of it could be taken
function house.take_inbox(c)
    for _ = 1, QUEUE_MAX / INTAKE do
        if not intake(c, INTAKE) then
            return false
        end
    end
    return call('EXISTS', c.k[TASKS]) == 1
end

function house.inbox_long(c)
    return redis.error_reply('ERR the inbox of ' .. c.id .. ' is long: '
           .. call('LLEN', c.k[TASKS]) .. ' tasks; try again')
end

-- FCALL cwmp_push 1 cwmp:{0}:ID:tasks JSON: the task's id
local function cwmp_push(k, id, args)
    local json = args[1] or ''
    local task, field, reason = parse_task(json)
    if not task then
        return redis.error_reply('ERR task refused: ' .. field .. ': '
                                 .. reason)
    end
    local c = context(k, id)
    if not task.new and call('HEXISTS', k[DEVICE], 'first') == 0 then
        local quarantine = call('HGET', k[DEVICE], 'state') == 'quarantine'
        return redis.error_reply('ERR ' .. (quarantine
               and id .. ' is in quarantine: approve it first, or add '
                   .. '"new":true to push a task that waits for that'
               or 'no device ' .. id .. ' has been seen; add "new":true to '
                   .. 'push a task for a device that will come'))
    end
    check_keys(c)
    if task.wake then
        check_kinds(c, { [WAKE] = 'stream' })
    end
    -- what was pushed plainly before comes first
    local left = house.take_inbox(c)
    if room(c) <= 0 then
        return redis.error_reply('ERR the queue of ' .. id .. ' is full: '
                                 .. QUEUE_MAX .. ' tasks')
    end
    if left then
        return house.inbox_long(c)
    end
    local got
    got, field, reason = accept(c, task, json)
    if not got then
        return redis.error_reply('ERR task refused: ' .. field .. ': '
                                 .. reason)
    end
    if task.wake then
        call('XADD', k[WAKE], 'MAXLEN', '~', EVENTS_MAX, '*', 'device', id)
    end
    return got
end

-- FCALL cwmp_cancel 1 cwmp:{0}:ID:tasks TASK: where the task was
local function cwmp_cancel(k, id, args)
    local c = context(k, id)
    local task = args[1] or ''
    check_keys(c)
    local left = house.take_inbox(c)
    if call('HGET', k[RUNNING], 'id') == task then
        return redis.error_reply('ERR task ' .. task .. ' was sent and awaits '
               .. 'its answer: it cannot be cancelled now')
    end
    if call('ZSCORE', k[QUEUE], task) then
        finish(c, task, 'cancelled')
        return 'queued'
    end
    local w = call('HGET', k[WAITING], task)
    if w then
        w = load_waiting(c, task, w)
        if w then
            awaited(c, w, 'cancelled', { answered = w.answered,
                    fault = reason_json('the CPE had accepted it; the ACS '
                                        .. 'waits no longer') })
        end
        return 'waiting'
    end
    if left then
        return house.inbox_long(c)
    end
    return redis.error_reply('ERR no task ' .. task .. ' of ' .. id
                             .. ' lives')
end

redis.register_function('cwmp_push', house.of_device(cwmp_push))
redis.register_function('cwmp_cancel', house.of_device(cwmp_cancel))
redis.register_function('cwmp_due_2', house.named(house.due))
redis.register_function('cwmp_quirk', house.whole(several.add_quirk))
