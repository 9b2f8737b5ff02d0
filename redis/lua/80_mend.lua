--[[
  What keeps a partition in order when a crash, a failover or a hand has left
  things that disagree (mend), what an admin does with a whole device (delete,
  replace, tags, another number of partitions), and look-ups (find).

  A pass of mend goes over all keys of the partition, then over each index, a
  slice a call: "PHASE CURSOR", and 0 at the end.  For what a slice had no time
  it is "PHASE CURSOR ID LEFT ...": of these devices so many tasks of the queue
  are left to look at, or all that there is of it (-).  CURSOR is - when nothing
  else is left.  Each slice leaves things better, whoever calls it.  To mend more:
  a found() in mend_index() or mend_tasks(); a new index: its entries in
  entries_of(), its name in PHASES, a row in DECIDES.
]]
function house.load()

local SCANNED = 50                  -- keys or entries looked at at once, about
-- A slice's work, about in microseconds.  It is told by what is done: in
-- functions of Redis 7.2 and later time stands still.
local WORK = { slice = 3000, key = 1, device = 40, entry = 12, task = 5,
               kb = 2 }
local PACE = 50                     -- ms between slices of a pass
local EVERY = 3600                  -- s between passes
local SOON = 60                     -- s until the first one
local GRACE = 10000                 -- ms that deadlines may be late
local BREAK = 7200                  -- s without a node, after which all is new
local NOTED = 600                   -- s, how old "last" may be
local DAY = 86400
local FOUND = 1000                  -- lines of a slice
local PHASES = { 'keys', 'index:seen', 'index:first', 'index:model',
                 'index:version', 'index:tag', 'index:quarantine',
                 'index:announced', 'index:denied' }
local OF_STATE = { 'first', 'state', 'since', 'last' }
-- what of it decides about an entry
local DECIDES = {
    ['index:seen'] = { 'first' }, ['index:first'] = { 'first' },
    ['index:model'] = { 'first', 'oui', 'class' },
    ['index:version'] = { 'first', 'version' },
    ['index:tag'] = { 'first', 'tags' },
    ['index:quarantine'] = OF_STATE, ['index:announced'] = OF_STATE,
    ['index:denied'] = OF_STATE,
}

local RECORD, shared_key, device_at, entries_of, remove
    = house.RECORD, house.shared_key, house.device_at, house.entries_of,
      house.remove

-- a line for each, as long as they are not too many
local function tell(w, id, text)
    if #w.found < FOUND then
        w.found[#w.found + 1] = text .. ', device: ' .. id
    else
        w.more = (w.more or 0) + 1
    end
end

local function found(c, w, text, repair)
    tell(w, c.id, text)
    if not w.dry then
        repair()
    end
end

local function mend_index(c, w, d)
    for _, e in ipairs(entries_of(c.id, d)) do
        local key = shared_key(c, e[1])
        local score = call('ZSCORE', key, e[2])
        local behind = score and e[3] - score
        if not score or e[1] == 'index:first' and behind ~= 0
           or e[1] == 'index:seen' and (behind < 0
                                        or behind > BOUND.seen + 1)
        then
            found(c, w, 'is missing in ' .. e[1], function()
                call('ZADD', key, e[3], e[2])
            end)
        end
    end
end

local function is_due(c, kind, task)
    return call('ZSCORE', c.k[DUE], kind .. ' ' .. c.id
                                    .. (task and ' ' .. task or ''))
end

local function mend_running(c, w, run, lives)
    if not run then
        return
    elseif not lives[run] then
        return found(c, w, 'task ' .. run .. ' runs, and is not in live',
                     function()
            call('DEL', c.k[RUNNING])
            not_due(c, 's')
            several.vanished(c, run)
        end)
    end
    local at, left = is_due(c, 's'), call('PTTL', c.k[SESSION])
    if left > 0 and not at then
        found(c, w, 'task ' .. run .. ' runs without a deadline', function()
            due(c, 's', nil, c.now + left + 1)
        end)
    elseif left == -1 then
        found(c, w, 'its session has no end', function()
            call('PEXPIRE', c.k[SESSION], 30000)
            due(c, 's', nil, c.now + 30001)
        end)
    elseif left < 0 and (not at or at + GRACE < c.now) then
        found(c, w, 'task ' .. run .. ' runs, and its session is over',
              function() lose(c, 'its session was over') end)
    end
end

local function mend_waiting(c, w, id, run, lives)
    local at = is_due(c, 'w', id)
    if id == run then
        found(c, w, 'task ' .. id .. ' runs and waits', function()
            no_longer_waits(c, { id = id })
        end)
    elseif not lives[id] then
        found(c, w, 'task ' .. id .. ' waits, and is not in live', function()
            no_longer_waits(c, { id = id })
            several.vanished(c, id)
        end)
    elseif not at or at + GRACE < c.now then
        found(c, w, 'task ' .. id .. ' waits '
                    .. (at and 'beyond its' or 'without a') .. ' deadline',
              function() house.waiting_due(c, id) end)
    end
end

local function mend_queue(c, w, id, elsewhere, lives)
    if elsewhere[id] then
        found(c, w, 'task ' .. id .. ' is in the queue and ' .. elsewhere[id],
              function() call('ZREM', c.k[QUEUE], id) end)
    elseif not lives[id] then
        found(c, w, 'task ' .. id .. ' is in the queue, and not in live',
              function() several.vanished(c, id) end)
    end
end

-- It is nowhere: back to the queue, unless it was sent and may not be again.
local function restore(c, id)
    local sent = tonumber(call('HGET', c.k[LIVE], '=a ' .. id) or 0) > 0
    local task = sent and load_task(c, id)
    if task and (METHODS[task.method] or {}).lost ~= 'again' and not task.retry
    then
        return finish(c, id, 'lost', { fault = reason_json('sent, and what '
                      .. 'was known of its outcome is gone') })
    end
    -- what it may wait for is looked at when its turn comes
    local after = call('HEXISTS', c.k[LIVE], '=w ' .. id) == 1
    call('ZADD', c.k[QUEUE], string.format('%.0f', (after and AFTER or LATER)
                                                   + next_number(c)), id)
end

-- One of the queue: has it its deadline, if it expires?
local function mend_expiring(c, w, id)
    local at = is_due(c, 'x', id)
    if at and at + GRACE >= c.now then
        return
    end
    local json = call('HGET', c.k[LIVE], id) or ''
    w.work = w.work + #json / 1024 * WORK.kb
    local task = string.find(json, 'expires', 1, true) and load_task(c, id)
    if task and task.expires then
        found(c, w, 'task ' .. id .. (at and ' should have expired'
                    or ' expires without a deadline'), function()
            if task.expires * 1000 > c.now then
                due(c, 'x', id, task.expires * 1000)
            else
                finish(c, id, 'expired')
            end
        end)
    end
end

-- Those of the queue that are left, counted from its end; where others come in the
-- meantime the next pass finds what this one misses for them.
local function mend_expiry(c, w, left)
    local queued = call('ZRANGE', c.k[QUEUE], -left, -1)
    for i, id in ipairs(queued) do
        if w.work >= WORK.slice and i > 1 then
            w.rest[#w.rest + 1] = c.id .. ' ' .. #queued - i + 1
            return
        end
        w.work = w.work + WORK.task
        mend_expiring(c, w, id)
    end
end

-- ids in the order in which they came; those that we made tell it themselves
local function by_age(c, ids)
    local at, n = {}, {}
    for _, id in ipairs(ids) do
        local ms, number = string.match(id, '^t(%x+)%-(%d+)$')
        local live = not ms and call('HGET', c.k[LIVE], id) or ''
        at[id] = ms and tonumber(ms, 16)
                 or tonumber(string.match(live, '^%d+') or 0)
        n[id] = tonumber(number or 0)
    end
    table.sort(ids, function(a, b)
        if at[a] ~= at[b] then
            return at[a] < at[b]
        end
        return n[a] < n[b] or n[a] == n[b] and a < b
    end)
    return ids
end

local function mend_live(c, w, lives, rest, placed)
    local ids = {}
    for id in pairs(lives) do
        ids[#ids + 1] = not placed[id] and id or nil
    end
    for _, id in ipairs(by_age(c, ids)) do
        found(c, w, 'task ' .. id .. ' is neither in queue, running nor '
                    .. 'waiting', function() restore(c, id) end)
    end
    for _, field in ipairs(rest) do
        local kind, id = string.match(field, '^=(%a) (.*)$')
        if kind == 'k' then
            id = call('HGET', c.k[LIVE], field)
        end
        if id and not lives[id] then        -- false: its task just ended
            found(c, w, 'field ' .. shown(field, 80) .. ' of live is of no task',
                  function() call('HDEL', c.k[LIVE], field) end)
        end
    end
end

-- What is pushed plainly may expire before the device comes.
local function mend_inbox(c, w)
    if not w.dry and call('EXISTS', c.k[TASKS]) == 1 then
        check_keys(c)
        intake(c, INTAKE)
    end
end

local function mend_tasks(c, w, d)
    check_keys(c)
    local lives, rest, placed = {}, {}, {}
    local fields = call('HKEYS', c.k[LIVE])
    w.work = w.work + #fields * WORK.task
    for _, field in ipairs(fields) do
        if string.byte(field) == 61 then
            rest[#rest + 1] = field
        else
            lives[field] = true
        end
    end
    if d.free and next(lives) and call('HEXISTS', c.k[DEVICE], 'free') == 1 then
        found(c, w, 'tasks live, and "free" says none does', function()
            call('HDEL', c.k[DEVICE], 'free')
            call('HDEL', c.k[SESSION], 'f')
        end)
    end
    local run = call('HGET', c.k[RUNNING], 'id')
    local queued = call('ZRANGE', c.k[QUEUE], 0, -1)
    local waiting = call('HKEYS', c.k[WAITING])
    for _, id in ipairs(waiting) do
        placed[id] = 'waiting'
    end
    if run then
        placed[run] = 'running'
    elseif call('EXISTS', c.k[RUNNING]) == 1 then
        found(c, w, 'running names no task', function()
            call('DEL', c.k[RUNNING])
        end)
    end
    for _, id in ipairs(queued) do
        mend_queue(c, w, id, placed, lives)
    end
    for _, id in ipairs(queued) do
        placed[id] = placed[id] or 'queue'
    end
    mend_running(c, w, run, lives)
    for _, id in ipairs(waiting) do
        mend_waiting(c, w, id, run, lives)
    end
    mend_live(c, w, lives, rest, placed)
    if queued[1] then
        mend_expiry(c, w, #queued)
    end
end

-- Somebody has deleted its record.  Its tasks wait for it to come again, and are
-- followed by those that come then; what was known of it is of no use.
local function mend_orphan(c, w)
    if call('EXISTS', c.k[LIVE], c.k[QUEUE], c.k[RUNNING], c.k[WAITING],
            c.k[DEVICE] .. ':moving') > 0
    then
        found(c, w, 'has tasks, and no record', function()
            call('HSET', c.k[DEVICE], 'order', '0')
        end)
        return
    end
    for _, key in ipairs({ PARAMS, RESULTS }) do
        if call('EXISTS', c.k[key]) == 1 then
            found(c, w, string.sub(SUFFIX[key], 2) .. ' of no device: deleted',
                  function() call('UNLINK', c.k[key]) end)
        end
    end
end

-- what most have none of
local function mend_kept(c, w, d)
    local moving = c.k[DEVICE] .. ':moving'
    if call('EXISTS', c.k[TASKS], c.k[LIVE], c.k[QUEUE], c.k[RUNNING],
            c.k[WAITING], c.k[RESULTS], moving) == 0
    then
        return
    end
    mend_inbox(c, w)
    mend_tasks(c, w, d)
    if call('EXISTS', moving) == 1 then
        found(c, w, 'its replacement was begun and did not end: run '
                    .. 'cwmp-device replace again', function() end)
    end
    if w.watched and not w.dry then
        several.trim(c)
    end
end

-- A device that was quiet for long, and that nobody has approved: true when it is
-- forgotten.
local function mend_state(c, w, d)
    if d.first and d.state then
        found(c, w, 'is known, and has the state ' .. shown(d.state, 64),
              function() call('HDEL', c.k[DEVICE], 'state', 'since', 'last') end)
    end
    local silent = c.now / 1000 - (tonumber(d.last) or c.now)
    if d.first or d.state ~= 'quarantine' or silent <= w.quarantine then
        return false
    end
    found(c, w, 'is in quarantine, and silent for ' .. math.floor(silent)
                .. ' seconds: forgotten', function()
        several.no_state(c.k[DEVICE], shared_key(c, 'index:quarantine'), c.id)
    end)
    return true
end

local function mend(c, w)
    local d = hash_fields(c.k[DEVICE], RECORD)
    if not d.first and call('EXISTS', c.k[DEVICE]) == 0 then
        mend_orphan(c, w)
    end
    local silent = c.now / 1000 - (tonumber(d.seen) or math.huge)
    w.devices = w.devices + (d.first and 1 or 0)
    if w.silence and silent > w.silence
       and call('EXISTS', c.k[DEVICE] .. ':moving') == 0
    then
        return found(c, w, 'is forgotten: silent for '
                     .. math.floor(silent / DAY) .. ' days',
                     function() remove(c, 'silent') end)
    end
    mend_kept(c, w, d)
    if not mend_state(c, w, d) then
        mend_index(c, w, d)
    end
end

--[[
  reconcile has besides "last", when a node was at work here, and "watching",
  since when without a break.  Whatever was before that, devices may have come
  and found nobody: an outage, a restore of an old state, a jump of the clock.
]]
local function watch(key, s, now)
    local gap = now - (tonumber(s.last) or 0)
    if math.abs(gap) > BREAK then
        call('HSET', key, 'last', now, 'watching', now)
    elseif gap > NOTED or gap < 0 then
        call('HSET', key, 'last', now)
    end
end

-- The silence that is too long, nil when none can be told from a break; have
-- nodes watched for a day?
local function watched(base, now)
    local s = hash_fields(base .. 'reconcile', { 'last', 'watching' })
    if math.abs(now - (tonumber(s.last) or 0)) > BREAK then
        return nil, false
    end
    local silence = several.setting(base, 'silence')
    local since = now - (tonumber(s.watching) or now)
    return silence and since > silence and silence or nil, since > DAY
end

-- what a slice finds, and for what it had no time
local function work_on(base, dry)
    local c = context({ base })
    local silence, long = watched(base, math.floor(c.now / 1000))
    return { now = c.now, when = c.when, second = c.second, us = c.us, work = 0,
             rest = {}, found = {}, devices = 0, dry = dry, silence = silence,
             watched = long, quarantine = several.setting(base, 'quarantine')
                                          or BOUND.quarantine }
end

-- What cannot be mended is told, and keeps nobody else's from being.  left: as in
-- the pass' position.
local function mend_one(base, id, w, left)
    local c = device_at(base, id)
    local ok, why
    c.second, c.us, c.when, c.now = w.second, w.us, w.when, w.now
    w.work = w.work + WORK.device
    if left == '-' then
        ok, why = pcall(mend, c, w)
    else
        ok, why = pcall(mend_expiry, c, w, tonumber(left))
    end
    -- what is shared was told when the pass began
    if not ok and not house.wrong_kind(base) then
        tell(w, id, 'cannot be mended: ' .. (house.wrong_kind(base .. id)
                    or type(why) == 'table' and why.err or tostring(why)))
    end
    for _, text in ipairs(c.notes) do
        tell(w, id, text)
    end
end

-- as many as there is time for; the others are left
local function mend_some(base, ids, w)
    for id, left in string.gmatch(ids, '(%S+) (%S+)') do
        if w.work < WORK.slice then
            mend_one(base, id, w, left)
        else
            w.rest[#w.rest + 1] = id .. ' ' .. left
        end
    end
end

local OWN = { ':live', ':queue', ':running', ':waiting', ':moving', ':params',
              ':results', ':tasks' }

-- without a record it is mended for the first of its keys
local function is_first(base, id, suffix)
    if call('EXISTS', base .. id) == 1 then
        return false
    end
    for _, own in ipairs(OWN) do
        if own == suffix or call('EXISTS', base .. id .. own) == 1 then
            return own == suffix
        end
    end
    return false
end

-- the device that a key is to be mended for, or nil
local function device_of(base, key)
    local id, suffix = string.match(key, '^([^:%s%c"\\]+%-[^:%s%c"\\]+)(:?%a*)$',
                                    #base + 1)
    return id and (suffix == '' or is_first(base, id, suffix)) and id or nil
end

local function slice_keys(base, cursor, rest, w)
    mend_some(base, rest, w)
    while cursor ~= '-' and not w.rest[1] and w.work < WORK.slice do
        local got = call('SCAN', cursor, 'MATCH', base .. '*', 'COUNT', SCANNED)
        local done, ids = {}, {}
        for _, key in ipairs(got[2]) do
            local id = device_of(base, key)
            if id and not done[id] then
                done[id], ids[#ids + 1] = true, id .. ' -'
            end
        end
        w.work = w.work + math.max(#got[2], SCANNED) * WORK.key
        mend_some(base, table.concat(ids, ' '), w)
        cursor = got[1] == '0' and '-' or got[1]
    end
    return cursor
end

local function mend_entry(base, name, member, w)
    local id = string.match(member, '([^\t]*)$')
    local ok, d = pcall(hash_fields, base .. id, DECIDES[name])
    for _, e in ipairs(entries_of(id, ok and d or {})) do
        if e[1] == name and e[2] == member then
            return
        end
    end
    found(device_at(base, id), w, name .. ' has ' .. shown(member, 80)
                .. ', which the device has not', function()
        call('ZREM', base .. name, member)
    end)
end

-- entries of an index that no device has
local function slice_index(base, name, cursor, w)
    repeat
        local got = redis.pcall('ZSCAN', base .. name, cursor, 'COUNT', SCANNED)
        if got.err then
            return '-'
        end
        for i = 1, #got[2], 2 do
            mend_entry(base, name, got[2][i], w)
        end
        w.work = w.work + (1 + #got[2] / 2) * WORK.entry
        cursor = got[1]
    until cursor == '0' or w.work >= WORK.slice
    return cursor == '0' and '-' or cursor
end

-- One slice: where the next one begins, '0' when there is none, and what was
-- found.
function house.slice(base, at, dry)
    local w = work_on(base, dry)
    local phase, cursor, rest = string.match(at, '^(%d+) (%S+) ?(.*)$')
    if not cursor or cursor ~= '-' and string.find(cursor, '%D') then
        phase, cursor, rest = 1, '0', ''
        w.found[1] = house.wrong_kind(base)
    end
    phase = tonumber(phase)
    if phase == 1 then
        cursor = slice_keys(base, cursor, rest, w)
    elseif PHASES[phase] then
        cursor = slice_index(base, PHASES[phase], cursor, w)
    end
    if cursor == '-' and not w.rest[1] then
        phase, cursor = phase + 1, '0'
    end
    if w.more then
        w.found[#w.found + 1] = 'and ' .. w.more .. ' more'
    end
    at = table.concat({ phase, cursor, unpack(w.rest) }, ' ')
    return PHASES[phase] and at or '0', w
end

--[[
  A slice of the pass that goes on by itself, if it is time for one: when to
  ask for the next, in ms, and what was found.  reconcile: at (where it is),
  next (when the next pass begins), started, ended, devices, mended, last and
  watching (above).
]]
function house.pass(base, now)
    local key = base .. 'reconcile'
    if house.apart(key) then
        return 0, {}
    end
    local s = hash_fields(key, { 'at', 'next', 'last' })
    local every = several.setting(base, 'reconcile') or EVERY
    watch(key, s, now)
    if not s.at then
        if not s.next then
            call('HSET', key, 'next', now + SOON)
            return 0, {}
        end
        local left = (tonumber(s.next) or 0) - now
        if left > 0 and left <= every then
            return 0, {}
        end
        call('HSET', key, 'started', now, 'devices', 0, 'mended', 0)
    end
    local at, w = house.slice(base, s.at or '0')
    for field, n in pairs({ devices = w.devices,
                            mended = #w.found + (w.more or 0) }) do
        n = n + (tonumber(call('HGET', key, field) or 0) or 0)
        call('HSET', key, field, string.format('%.0f', n))
    end
    if at ~= '0' then
        call('HSET', key, 'at', at)
        return PACE, w.found
    end
    call('HDEL', key, 'at')
    call('HSET', key, 'ended', now, 'next', now + every)
    return 0, w.found
end

-- FCALL cwmp_reconcile 1 cwmp:{0}:due [CURSOR [dry]]: where to go on (0: it is
-- done), devices seen, what was found and mended
local function cwmp_reconcile(base, args)
    if args[2] and args[2] ~= '' and args[2] ~= 'dry' then
        return redis.error_reply('ERR ' .. shown(args[2], 64) .. ': use dry, '
                                 .. 'or nothing')
    end
    local at, w = house.slice(base, args[1] or '0', args[2] == 'dry')
    return { at, w.devices, unpack(w.found) }
end

local SETTINGS = {                  -- least and most
    silence = { DAY, 3650 * DAY }, sessions = { BOUND.burst, BOUND.none },
    reconcile = { 1, 30 * DAY }, quarantine = { 60, 3650 * DAY },
    strangers = { 1, 1e6 },
}

-- FCALL cwmp_setting 1 cwmp:{0}:settings NAME [VALUE]: sets it; '' takes it
-- away; the value that holds
local function cwmp_setting(keys, args)
    local name, value = args[1] or '', args[2]
    local bounds = SETTINGS[name]
    if not string.find(keys[1], ':{%d+}:settings$') then
        return redis.error_reply('ERR ' .. keys[1] .. ' is not cwmp:{0}:settings')
    end
    if not bounds then
        return redis.error_reply('ERR ' .. shown(name, 64) .. ' is no setting; '
               .. 'there are quarantine, reconcile, sessions, silence, '
               .. 'strangers')
    elseif value == '' then
        call('HDEL', keys[1], name)
    elseif value then
        local n = tonumber(value)
        if not whole(n, bounds[1], bounds[2]) then
            return redis.error_reply('ERR ' .. name .. ' is not a whole number '
                   .. 'from ' .. bounds[1] .. ' to ' .. bounds[2])
        end
        call('HSET', keys[1], name, string.format('%.0f', n))
    end
    return call('HGET', keys[1], name) or ''
end

house.work_on, house.mend_one = work_on, mend_one
redis.register_function('cwmp_reconcile', house.of_partition(cwmp_reconcile))
redis.register_function('cwmp_setting', house.whole(cwmp_setting))

end

house.load()
