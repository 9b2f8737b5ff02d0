-- What an admin does with a whole device: it is deleted, tagged, or another takes
-- its place.

function house.load()

local TAGS_MAX, TAG_BYTES = 32, 64
local JOINED = 32                   -- replaced devices that one knows

local base_of, remove = house.base_of, house.remove
local each_tag = several.each_tag

-- f(c, args), as it is registered: of a device that is known
local function of_known(f)
    return house.of_device(function(k, id, args)
        if call('EXISTS', k[DEVICE], k[TASKS], k[RESULTS],
                k[DEVICE] .. ':moving') == 0
        then
            return redis.error_reply('ERR no device ' .. id .. ' is known')
        end
        return f(context(k, id), args)
    end)
end

-- FCALL cwmp_delete 1 cwmp:{0}:ID
local function cwmp_delete(c)
    check_keys(c)
    if call('EXISTS', c.k[DEVICE] .. ':moving') == 1 then
        return redis.error_reply('ERR ' .. c.id .. ' is being replaced by '
               .. (call('HGET', c.k[DEVICE], 'replaced') or '?') .. ': end '
               .. 'that first, by cwmp-device replace, or its tasks are lost')
    end
    remove(c, 'an admin')
    return 'OK'
end

local function set_tags(c, old, list)
    several.index_tags(c, 'ZREM', old)
    if list[1] then
        local tags = table.concat(list, ',')
        call('HSET', c.k[DEVICE], 'tags', tags)
        if call('HEXISTS', c.k[DEVICE], 'first') == 1 then
            several.index_tags(c, 'ZADD', tags)
        end                         -- else the first Inform does
    else
        call('HDEL', c.k[DEVICE], 'tags')
    end
end

-- FCALL cwmp_tag 1 cwmp:{0}:ID [+TAG|-TAG ...]: the tags that it then has
local function cwmp_tag(c, args)
    local old, set = call('HGET', c.k[DEVICE], 'tags'), {}
    each_tag(old, function(tag) set[tag] = true end)
    for _, arg in ipairs(args) do
        local sign, tag = string.match(arg, '^([+-])([%w._:-]+)$')
        if not sign or #tag > TAG_BYTES then
            return redis.error_reply('ERR ' .. shown(arg, 80) .. ' is neither '
                   .. '+TAG nor -TAG, a tag being 1 to ' .. TAG_BYTES
                   .. ' of A-Z a-z 0-9 . _ : -')
        end
        set[tag] = sign == '+' or nil
    end
    local list = several.sorted_names(set)
    local n = select(2, string.gsub(old or '', '[^,]+', ''))
    if #list > math.max(TAGS_MAX, n) then
        return redis.error_reply('ERR a device has at most ' .. TAGS_MAX
                                 .. ' tags')
    end
    if args[1] then
        if call('HEXISTS', c.k[DEVICE], 'first') == 0 then
            return redis.error_reply('ERR ' .. c.id .. ' has not been seen')
        end
        set_tags(c, old, list)
    end
    return list
end

--[[
  A device is replaced by another, which may live in another partition, in
  three functions that cwmp-device calls in turn, for each thing that moves:
  cwmp_leave gives it ("N HEX"), cwmp_join takes it, cwmp_left says that it
  arrived.  All that moves is in the list ":moving" from the first call on, and
  each has a number, so that after a crash the same again does no harm.
]]
local function hex(s)
    return (string.gsub(s, '.', function(ch)
        return string.format('%02x', string.byte(ch))
    end))
end

-- Its JSON as it is: of what was not sent nothing is looked at.
local function leave_task(c, id, new)
    local got = call('HMGET', c.k[LIVE], id, '=u ' .. id, '=l ' .. id)
    local json = got[1] and string.match(got[1], '^%d+ (.*)$')
    local unknown = got[2] == '1'
    local task = (unknown or got[3]) and load_task(c, id)
    local changed = task and select(2, several.so_far(c, id, task.method))
    if not json or changed or unknown and not task.retry
       and several.changes(task.method)
    then
        return finish(c, id, 'lost', { fault = reason_json('sent, and the '
                      .. 'device was replaced by ' .. new) })
    end
    not_due(c, 'x', id)
    call('HDEL', c.k[LIVE], id)
    call('RPUSH', c.k[DEVICE] .. ':moving', 'task ' .. id .. ' ' .. json)
end

-- what was sent is of the old device, whatever became of it
local function leave_sent(c, new)
    local fault = reason_json('sent, and the device was replaced by ' .. new)
    local run = load_running(c)
    if run then
        call('DEL', c.k[RUNNING])
        not_due(c, 's')
        if not end_early(c, run) then
            finish(c, run.id, 'lost', { sent = tonumber(run.sent),
                                        fault = fault })
        end
    end
    local all = call('HGETALL', c.k[WAITING])
    for i = 1, #all, 2 do
        local w = load_waiting(c, all[i], all[i + 1])
        if w then
            awaited(c, w, 'lost', { fault = fault })
        end
    end
end

-- Numbers go on from where they were, and from the clock: a device that was
-- deleted and came back begins with none that was used.
local function leave_all(c, new)
    leave_sent(c, new)
    local tags = call('HGET', c.k[DEVICE], 'tags') or ''
    call('RPUSH', c.k[DEVICE] .. ':moving', 'tags ' .. tags)
    set_tags(c, tags, {})
    for _, id in ipairs(call('ZRANGE', c.k[QUEUE], 0, -1)) do
        leave_task(c, id, new)
    end
    for _, id in ipairs(call('HKEYS', c.k[LIVE])) do
        if string.byte(id) ~= 61 then           -- the queue has lost it
            leave_task(c, id, new)
        end
    end
    call('UNLINK', c.k[QUEUE], c.k[LIVE])
    call('DEL', c.k[SESSION])
    local moved = tonumber(call('HGET', c.k[DEVICE], 'moved') or 0)
    call('HSET', c.k[DEVICE], 'replaced', new, 'moved',
         string.format('%.0f', math.max(moved, c.now)))
    event(c, 'replaced', 'by', new)
end

local function has_moved(c, new)
    local d = hash_fields(c.k[DEVICE], { 'replaced', 'tags' })
    return d.replaced == new and not d.tags
           and call('EXISTS', c.k[TASKS], c.k[QUEUE], c.k[RUNNING],
                    c.k[WAITING]) == 0
end

-- FCALL cwmp_leave 1 cwmp:{0}:OLD NEW
local function cwmp_leave(c, args)
    local new, moving = args[1] or '', c.k[DEVICE] .. ':moving'
    if not device_keys(base_of(c.k[DEVICE]) .. new) or new == c.id then
        return redis.error_reply('ERR ' .. shown(new, 80) .. ' is not the id '
                                 .. 'of another device')
    end
    check_keys(c)
    check_kinds(c, { [TASKS] = 'list' })
    if call('EXISTS', moving) == 0 then
        if has_moved(c, new) then
            return ''
        end
        house.take_inbox(c)         -- what is too much of it: the next time
        leave_all(c, new)
    end
    -- without its record it goes to whom it is said to
    call('HSETNX', c.k[DEVICE], 'replaced', new)
    call('HSETNX', c.k[DEVICE], 'moved', string.format('%.0f', c.now))
    local by = call('HGET', c.k[DEVICE], 'replaced')
    if by ~= new then
        return redis.error_reply('ERR ' .. c.id .. ' is being replaced by '
                                 .. by .. ': end that first')
    end
    return string.format('%.0f ', call('HGET', c.k[DEVICE], 'moved') + 1)
           .. hex(call('LINDEX', moving, 0))
end

-- FCALL cwmp_left 1 cwmp:{0}:OLD N: "N left", after cwmp_join of that one
local function cwmp_left(c, args)
    local moving = c.k[DEVICE] .. ':moving'
    if tonumber(args[1]) == (call('HGET', c.k[DEVICE], 'moved') or 0) + 1 then
        call('LPOP', moving)
        call('HINCRBY', c.k[DEVICE], 'moved', 1)
    end
    return call('LLEN', moving)
end

local function join_task(c, id, json)
    local task, field, reason, bad = parse_task(json)
    local ours = id
    if task then
        task.id = id
        if room(c) > 0 then
            id, field, reason = accept(c, task, json)
        else
            id, field, reason = nil, 'task', 'there is no room in the queue'
        end
    end
    if not task or not id then
        reject(c, json, task or bad, field, reason)
        return 'task ' .. ours .. ' was rejected: ' .. field .. ': ' .. reason
    end
    return 'OK'
end

-- What it has of both, and what there is no room for.
local function join_tags(c, more, of)
    local old, set, left = call('HGET', c.k[DEVICE], 'tags'), {}, {}
    local n = 0
    each_tag(old, function(tag) set[tag], n = true, n + 1 end)
    each_tag(more, function(tag)
        if not set[tag] and n >= TAGS_MAX then
            left[#left + 1] = tag
        elseif not set[tag] then
            set[tag], n = true, n + 1
        end
    end)
    set_tags(c, old, several.sorted_names(set))
    if call('EXISTS', c.k[DEVICE] .. ':moving') == 0 then
        call('HDEL', c.k[DEVICE], 'replaced')
    end
    event(c, 'replaces', 'device replaced', of)
    return left[1] and 'more than ' .. TAGS_MAX .. ' tags: '
                       .. table.concat(left, ',') .. ' were left out' or 'OK'
end

-- Of each device that this one replaces the number of what came last, in a list
-- of the last ones: "OLD N OLD N".
local function join_mark(c, old, n)
    local marks, is, count = '', 0, 1
    for of, last in string.gmatch(call('HGET', c.k[DEVICE], 'joined') or '',
                                  '(%S+) (%d+)')
    do
        if of == old then
            is = tonumber(last)
        elseif count < JOINED then
            marks, count = marks .. ' ' .. of .. ' ' .. last, count + 1
        end
    end
    if is >= tonumber(n) then
        return false
    end
    call('HSET', c.k[DEVICE], 'joined', old .. ' ' .. n .. marks)
    return true
end

-- FCALL cwmp_join 1 cwmp:{0}:NEW OLD "N HEX": OK, or what there was no room for
local function cwmp_join(k, id, args)
    local n, text = string.match(args[2] or '', '^(%d+) (%x+)%s*$')
    if not n or not device_keys(base_of(k[DEVICE]) .. args[1]) then
        return redis.error_reply('ERR not as cwmp_leave gave it')
    end
    local c = context(k, id)
    check_keys(c)
    local is = hash_fields(k[DEVICE], { 'first', 'state' })
    c.state = several.states[is.state] and is.state or nil
    if not is.first and c.state == 'denied' then
        return redis.error_reply('ERR ' .. id .. ' is denied: approve it first')
    elseif not is.first and c.state ~= 'announced' then
        several.set_state(c, 'announced')   -- an admin has named it
    end
    if not join_mark(c, args[1], n) then
        return 'OK'
    end
    local kind, rest = string.match(string.gsub(text, '%x%x', function(h)
        return string.char(tonumber(h, 16))
    end), '^(%a+) (.*)$')
    if kind == 'tags' then
        return join_tags(c, rest, args[1])
    elseif kind == 'task' then
        return join_task(c, string.match(rest, '^(%S+) (.*)$'))
    end
    return 'OK'
end

redis.register_function{ function_name = 'cwmp_delete',      -- makes room
                         callback = of_known(cwmp_delete),
                         flags = { 'allow-oom' } }
redis.register_function('cwmp_tag', of_known(cwmp_tag))
redis.register_function('cwmp_leave', of_known(cwmp_leave))
redis.register_function('cwmp_join', house.of_device(cwmp_join))
redis.register_function('cwmp_left', of_known(cwmp_left))

end

house.load()
