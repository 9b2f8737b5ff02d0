#!lua name=cwmp
--[[
  The function library of the ACS: the state table of a session (TR-069 A6
  3.7.1, 3.7.2) and the life of a task live here, so that each step is atomic
  and any worker of any node may take the next one.

  The model.  A POST is one call of cwmp_step_2.  The caller has parsed the
  envelope into facts; this code decides and answers with a verb:

    inform TOKEN STYLE  send an InformResponse and this session's token
    answer STYLE      answer the CPE's request
    rpc ...           send this RPC (see rpc_reply)
    end               nothing to send: 204
    unknown           no such session, or the token is another session's
    later             it informs without end: 503

  The second element of each answer is a list of notes for the caller's log.

  A task is in exactly one place: the inbox (a list that anybody may push to),
  the queue (a sorted set of ids), running (a hash: the one RPC outstanding),
  waiting (a hash: what waits for a later event), or it has one entry in
  results.  Its JSON stays in "live" from the inbox to the result, never
  re-encoded.  Redis' TIME is the only clock.

  To add an RPC: a row in METHODS says what its loss and its response mean; its
  arguments are none of this file's business.

  Above maxmemory Redis refuses a call before it begins, never in its middle;
  those that must work then say so by a flag (allow-oom).

  Functions that nodes call carry the contract's number (_1): a change of
  arguments or of meaning makes a _2 beside it, so that nodes of two versions
  work side by side.  VERSION grows with what nodes may get of this file, and
  never shrinks, also where two changes meet: t/cwmp.lua.sum lists them all.
]]

local VERSION = 7


-- positions in KEYS, the same for every function that works on a device
local DEVICE, PARAMS, TASKS, QUEUE, LIVE, RUNNING, WAITING, SESSION, RESULTS,
      DUE, EVENTS, SEEN, MODEL, SOFTWARE, QUIRKS, LEARNED, FIRST, WAKE =
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18

local SUFFIX = { '', ':params', ':tasks', ':queue', ':live', ':running',
                 ':waiting', ':session', ':results' }
local SHARED = { 'due', 'events', 'index:seen', 'index:model', 'index:version',
                 'quirks', 'model:', 'index:first', 'wake' }

-- states of a session (the CPE's turn, the ACS's turn, after our 204)
local CPE, ACS, CLOSING = '1', '2', '3'

local FORGOTTEN = 'sent, but the CPE has been reset since (0 BOOTSTRAP) and '
                  .. 'has forgotten it'
local GIVEN_UP = 1000               -- bytes of their IDs in a session
local STRAYS = 3                    -- answers that are not an RPC's
local VERIFIES = 3                  -- reads of what an interrupted task set
local SLICE = 1000                  -- what unpack() can take at once, safely
local INTAKE = 16                   -- inbox entries taken at once
local INTAKES = 8                   -- how often in a step, while none is good
local INTAKE_BYTES = 262144         -- of all that a step takes, about
local QUEUE_MAX = 1000              -- tasks of a device that live at once
local TASK_BYTES = 262144           -- of a task's JSON
local PARAMS_MAX = 200000           -- of a device
local PARAMS_BYTES = 67108864       -- of a device
local PARAM_BYTES = 64              -- of each beside its name and value, about
local RESULTS_MAX = 200             -- of a device
local SESSION_MS = 14400000         -- a session lasts, and what it may bring
local SESSION_BYTES = 268435456
local EVENTS_MAX = '100000'         -- of a partition; numbers cost more
local TOLD_MAX = 2048               -- of what a CPE says, in an event
local TOLD_LAST = 16                -- of what a CPE tells until it is heard
local SWEEP_AFTER = 32              -- completed reads
local SWEEP_ABOVE = 50000           -- parameters of a device: after each read
local SWEEP_BYTES = 2097152         -- of a slice, about
local SWEEPS = 4                    -- slices, when room is needed
local METHODS_MAX = 100             -- in the list of what a device can do
local QUIRKS_MAX = 500              -- rows of quirks in a partition
local QUIRKS_BYTES = 1024           -- of such a row
local MATCH_BYTES = 256             -- of what it is for
-- of tasks of several messages
local BOUND = {
    response = 65536,               -- bytes of what several reads gave
    work = 65536,                   -- bytes of what is left to do
    expired = 1048576,              -- of tasks that expired, in a step
    spare = 200,                    -- RPCs of a read that asks for less
    reads = 2000,                   -- RPCs of a read, whatever it is
    blamed = 50,                    -- names that a read may fail for
    groups = 32,                    -- reads of what is below a path
    learned = 200,                  -- things of a model
    alone = 20,                     -- of these by one device alone
    own = 100,                      -- paths of a device
    lasts = 2592000,                -- seconds that they are known: 30 days
    least = 8,                      -- names in a read
    none = 1e9,                     -- no bound
    seen = 900,                     -- seconds that the index of them is behind
    results = 7776000,              -- seconds that they are kept: 90 days
    near = 5,                       -- seconds between Informs that count as
    burst = 1000,                   -- one upon the other: so many in
    window = 900,                   -- so many seconds
}

-- bands of the queue's scores; all of them exact in a double
local URGENT, LATER, AFTER = -1e12, 1e15, 2e15

--[[
  lost: what is done when the session ended with the RPC outstanding:
    again   it changes nothing: send it again
    verify  the next Inform's ParameterKey, or a read, says whether it was done
    event   the next sessions' events say whether it was done
  wait: the response is only half of it: for how many seconds (added to
  DelaySeconds) the event that ends it is awaited
  event: what ends it: the RPC of the CPE of that name with its CommandKey, or
  an event of an Inform, with the CommandKey when it starts with "M "
  closes: the session ends after its response (the CPE acts after the session)
  cancels: its CommandKey is that of other tasks, which its response ends
  wild: its names may have wildcards, if the device takes them

  "again" besides reads: SetParameterAttributes says what is to be, so that the
  second time changes nothing; nor does it to cancel what is cancelled, or to
  hand in a voucher of the same serial number.
]]
local METHODS = {
    GetRPCMethods      = { lost = 'again', lists = true },
    GetParameterValues = { lost = 'again', reads = true, wild = true },
    GetParameterNames  = { lost = 'again', wild = true },
    SetParameterValues = { lost = 'verify', list = 'ParameterList' },
    AddObject          = { lost = 'verify', list = 'values' },
    DeleteObject       = { lost = 'verify' },
    Reboot             = { lost = 'event', event = 'M Reboot', wait = 1800,
                           closes = true },
    FactoryReset       = { lost = 'event', event = '0', wait = 3600,
                           closes = true },
    Download           = { lost = 'event', event = 'TransferComplete',
                           wait = 86400 },
    Upload             = { lost = 'event', event = 'TransferComplete',
                           wait = 86400 },
    ScheduleDownload   = { lost = 'event', event = 'TransferComplete',
                           wait = 86400 },
    -- a CPE has a day for it
    ChangeDUState      = { lost = 'event', event = 'DUStateChangeComplete',
                           wait = 90000 },
    ScheduleInform     = { lost = 'event', event = 'M ScheduleInform',
                           wait = 3600 },
    CancelTransfer     = { lost = 'again', cancels = 'TransferComplete' },
    GetQueuedTransfers     = { lost = 'again' },
    GetAllQueuedTransfers  = { lost = 'again' },
    SetParameterAttributes = { lost = 'again' },
    GetParameterAttributes = { lost = 'again', wild = true },
    SetVouchers        = { lost = 'again' },
    GetOptions         = { lost = 'again' },
}

--[[
  Events of an Inform (TR-069 A6 3.7.1.5).  CPEs misspell them; the number
  tells which it is.  What an event ends is in METHODS, what it starts is told
  by tasks ("after"); besides, it may have a duty:
    resets  the CPE has forgotten what it was told, and what it was to do
    values  the parameters that have changed are told in events
    light   a sign of life: with no other event the session is over at once
  To add an event: a row, the number being its index.
]]
local CODES = {
    [0] = { 'BOOTSTRAP', resets = true },
    { 'BOOT' },
    { 'PERIODIC' },
    { 'SCHEDULED' },
    { 'VALUE CHANGE', values = true },
    { 'KICKED' },
    { 'CONNECTION REQUEST' },
    { 'TRANSFER COMPLETE' },
    { 'DIAGNOSTICS COMPLETE' },
    { 'REQUEST DOWNLOAD' },
    { 'AUTONOMOUS TRANSFER COMPLETE' },
    { 'DU STATE CHANGE COMPLETE' },
    { 'AUTONOMOUS DU STATE CHANGE COMPLETE' },
    { 'WAKEUP' },
    { 'HEARTBEAT', light = true },
}

-- the event that says that this RPC of the CPE follows in the same session
local ANNOUNCED = { TransferComplete = '7', DUStateChangeComplete = '11' }

local call
call = function(...)                -- redis.call is not there at load time
    call = redis.call
    return call(...)
end


-- ---------------------------------------------------------------- helpers

-- Text, as Redis gives and takes it: seconds, and six digits of the second.
local function clock()
    local t = call('TIME')
    return t[1], string.sub('00000', #t[2]) .. t[2]
end

local function seconds(ms)
    return string.format('%.3f', ms / 1000)
end

local function quote(s)             -- a JSON string
    return (string.gsub(cjson.encode(tostring(s)), '\\/', '/'))
end

-- somebody's bytes, for people: bounded, and nothing a terminal obeys
local function shown(s, most)
    return quote((string.gsub(string.sub(s, 1, most), '[^\32-\126]', '?')))
end

local function trimmed(s)
    return string.match(s, '^%s*(.*%S)') or ''
end

-- An object, or nil and why not.  A null is as good as nothing.
local function decode(json)
    local ok, value = pcall(cjson.decode, json)
    if not ok then
        return nil, 'is not JSON: ' .. value
    end
    if type(value) ~= 'table' or not string.find(json, '^%s*{') then
        return nil, 'is not a JSON object'
    end
    for name, v in pairs(value) do
        if v == cjson.null then
            value[name] = nil
        end
    end
    return value
end

local function reason_json(reason, field)
    if field then
        return '{"field":' .. quote(field) .. ',"reason":' .. quote(reason)
               .. '}'
    end
    return '{"reason":' .. quote(reason) .. '}'
end

local function note(c, text)
    c.notes[#c.notes + 1] = text
end

-- What is told cannot be untold: a stream that takes no entry stops nothing.
local function event(c, kind, ...)
    local got = redis.pcall('XADD', c.k[EVENTS], 'MAXLEN', '~', EVENTS_MAX, '*',
                            'type', kind, 'device', c.id, ...)
    if type(got) == 'table' then
        if string.find(got.err, 'WRONGTYPE', 1, true) then
            error(got, 0)
        end
        note(c, 'event "' .. kind .. '" is not in ' .. c.k[EVENTS] .. ': '
                .. got.err)
    end
end

-- A function that takes a text apart as the pattern says, and remembers what
-- came of it: a few texts come again and again.
local function remembered(pattern)
    local known, n = {}, 0
    return function(text)
        local parts = known[text]
        if not parts then
            if n == 256 then
                known, n = {}, 0
            end
            parts, n = { string.match(text, pattern) }, n + 1
            known[text] = parts
        end
        return parts
    end
end

local SPELLED = {}                  -- CODES by what they are called
for n = 0, #CODES do
    CODES[n].number = n .. ''
    SPELLED[n .. ' ' .. CODES[n][1]] = CODES[n]
end

-- An EventCode as it should be spelled, what it is known by (its number, or all
-- of it), and its row.
local function event_code(text)
    local known = SPELLED[text]
    if known then
        return text, known.number, known
    end
    text = string.gsub(trimmed(text), '%s+', ' ')
    local number = string.match(text, '^%d+')
    if number then
        number = string.match(number, '^0*(%d.*)$')
        local row = CODES[tonumber(number)]
        return row and number .. ' ' .. row[1] or text, number, row
    end
    local kind, rest = string.match(text, '^([MXmx]) (.+)$')
    if kind then
        for name in pairs(METHODS) do
            rest = string.lower(name) == string.lower(rest) and name or rest
        end
        text = string.upper(kind) .. ' ' .. rest
        return text, text
    end
    for n = 0, #CODES do
        if CODES[n][1] == string.upper(text) then
            return n .. ' ' .. CODES[n][1], tostring(n), CODES[n]
        end
    end
    return text, text
end

-- What each key must be.  A wrong one is said by name before anything is
-- written: what a function wrote before an error stays.
local KINDS = { [DEVICE] = 'hash', [PARAMS] = 'hash', [QUEUE] = 'zset',
                [LIVE] = 'hash', [RUNNING] = 'hash', [WAITING] = 'hash',
                [SESSION] = 'hash', [RESULTS] = 'stream', [DUE] = 'zset',
                [EVENTS] = 'stream' }
local LENGTH = { hash = 'HLEN', zset = 'ZCARD', stream = 'XLEN' }

local function check_kinds(c, kinds)
    for i, kind in pairs(kinds) do
        local is = call('TYPE', c.k[i]).ok
        if is ~= kind and is ~= 'none' then
            error({ err = 'ERR ' .. c.k[i] .. ' is a ' .. is .. ', but must '
                          .. 'be a ' .. kind .. ': rename or delete it' })
        end
    end
end

local function ask_lengths(c)       -- a number costs less than a type
    for i, kind in pairs(KINDS) do
        call(LENGTH[kind], c.k[i])
    end
end

local function check_keys(c)
    if not c.checked then
        c.checked = true
        if not pcall(ask_lengths, c) then
            check_kinds(c, KINDS)
        end
    end
end

local context, keys_of

do

-- A context's time is asked for when it is needed, and is then the same to the
-- end: now in ms, and as text second, us (six digits), and when: both.
local TIME = {
    __index = function(c, name)
        if name == 'when' then
            local s, us = clock()
            c.second, c.us, c.when = s, us, s .. '.' .. string.sub(us, 1, 3)
            return c.when
        elseif name == 'now' then
            c.now = string.gsub(c.when, '%.', '') + 0
            return c.now
        end
    end,
}

-- The keys of a device by their number, made of its hash's when they are asked
-- for: of most calls few are.
local KEYS = {
    __index = function(k, i)
        local suffix, key = SUFFIX[i], nil
        if suffix then
            key = k[DEVICE] .. suffix
        else
            key = string.sub(k[DEVICE], 1, -1 - #k.id) .. SHARED[i - #SUFFIX]
        end
        if i == LEARNED then
            key = key .. (string.match(k.id, '^(.*)%-') or '')
        end
        k[i] = key
        return key
    end,
}

function keys_of(device, id)
    return setmetatable({ device, nil, nil, nil, nil, nil, nil, nil, nil, nil,
                          nil, nil, nil, nil, nil, nil, nil, nil, id = id }, KEYS)
end

-- Where Redis is no Cluster, nodes name the device's hash only.
function context(keys, id)
    if not keys[2] then
        keys = keys_of(keys[1], id)
    end
    return setmetatable({ k = keys, id = id, notes = {}, q = '',
                          generation = false, free = false, none = false,
                          second = nil, us = nil, when = nil }, TIME)
end

end

-- All keys of a device from the name of one of them, for the functions that
-- people call with that one name only; all of them live in its slot.
local function device_keys(key)
    local prefix, id = string.match(key, '^(.-:{%d+}:)([^:]+):?%a*$')
    if not id or not string.find(id, '^[A-Z0-9_%%]+%-[%w_%%]+$')
       and not string.find(id, '^[A-Z0-9_%%]+%-[%w_%%]+%-[%w_%%]+$')
    then
        return nil
    end
    return keys_of(prefix .. id, id), id
end

local function hash_fields(key, names)
    local got, t = call('HMGET', key, unpack(names)), {}
    for i, name in ipairs(names) do
        t[name] = got[i] or nil
    end
    return t
end


-- ------------------------------------------------------------- parameters

--[[
  :params holds objects.  The field is an object's path, "Device.DeviceInfo.",
  the value a pack of what is right below it: "GENERATION\2NAMES\2VALUES", both
  lists with \1 in between, a value being its type's letter and itself.  The
  generation grows with each read; where not all are of the same one there is
  one for each, with commas.  A pack is small (PACK), since it is written as a
  whole: what has no room in it is a field of its own, path to "GENERATION
  TYPE-LETTER value" without blanks in between, as all were before version 7.  A
  parameter is in one of both, and comes into the pack when it is written next.

  Nothing is shared with other devices.  A dictionary of names would save
  another third, but be open to all who invent names, and in the way of a device
  that is moved or restored.

  The field "." is a JSON object of marks: path read completely (it ends with a
  dot, or is empty) to the generation of that read; what is older below it is
  gone from the device.
]]
local MARKS = '.'
local PACK = { leaves = 128, bytes = 256 }   -- how many; of each, with its name
local MARKS_MAX = 1000
local SWEEP = '^(%d+) (%-?%d+)$'     -- its state: cursor, generation
local MARK_BYTES = 256             -- of one: a path has as many at most
local TYPES = { s = 'string', b = 'boolean', i = 'int', l = 'long',
                u = 'unsignedInt', U = 'unsignedLong', d = 'decimal',
                t = 'dateTime', B = 'base64Binary', h = 'hexBinary',
                a = 'anySimpleType' }

local function due(c, kind, task, at, option)
    local member = kind .. ' ' .. c.id .. (task and ' ' .. task or '')
    if option then
        call('ZADD', c.k[DUE], option, at, member)
    else
        call('ZADD', c.k[DUE], at, member)
    end
end

local function not_due(c, kind, task)
    call('ZREM', c.k[DUE], kind .. ' ' .. c.id .. (task and ' ' .. task or ''))
end

-- Are there too many, with so many bytes more?  What was written is counted; once
-- that is too much, or unknown, Redis says how much it is, since much replaces
-- what was there.  When that is too much as well, it is until something was
-- swept.
local function too_many(c, bytes)
    local len = call('HLEN', c.k[PARAMS])
    c.none = len == 0
    if c.none then
        call('HDEL', c.k[DEVICE], 'packed')
    elseif len + (call('HGET', c.k[DEVICE], 'packed') or 0) > PARAMS_MAX then
        return true
    end
    local held = call('HINCRBY', c.k[DEVICE], 'bytes', bytes)
    local counted = held > bytes or len == 0
    if counted and held <= PARAMS_BYTES then
        return false
    end
    if call('HGET', c.k[DEVICE], 'full') then
        return true
    end
    local now = call('MEMORY', 'USAGE', c.k[PARAMS], 'SAMPLES', 0) or 0
    call('HSET', c.k[DEVICE], 'bytes', now + bytes)
    -- not to be asked again before much was written: it costs what there is
    if now <= PARAMS_BYTES - PARAMS_BYTES / 16 then
        return false
    end
    call('HSET', c.k[DEVICE], 'full', '1')
    return true
end

local load_marks, sweep, write_params, write_objects, stored, gone_by,
      mark_read, cwmp_params

do

-- The same, after what is gone has given way: a few slices of it at a time.
local function no_room(c, bytes)
    local full = too_many(c, bytes)
    for _ = 1, full and SWEEPS or 0 do
        if not next(load_marks(c.k[PARAMS])) then
            return true
        end
        sweep(c)
    end
    return full and too_many(c, bytes)
end

local NEXT, PART = '\1', '\2'

local function list_of(text)
    local list, n = {}, 0
    for item in string.gmatch(text .. NEXT, '([^\1]*)\1') do
        n = n + 1
        list[n] = item
    end
    return list
end

-- A number, or one for each name; names, values.  Nothing of what is damaged.
local function unpacked(raw)
    local g, n, v = string.match(raw or '',
                                 '^([%d,]+)\2([^\2]*)\2(%a[^\2]*)$')
    if not g then
        return nil
    end
    local names, values, generations = list_of(n), list_of(v), tonumber(g)
    if not generations then
        generations = {}
        for one in string.gmatch(g, '%d+') do
            generations[#generations + 1] = tonumber(one)
        end
    end
    if #names ~= #values
       or type(generations) == 'table' and #generations ~= #names
    then
        return nil
    end
    return generations, names, values
end

local function packed(generations, names, values)
    local same = true
    for i = 2, #names do
        same = same and generations[i] == generations[1]
    end
    return (same and generations[1] or table.concat(generations, ',')) .. PART
           .. table.concat(names, NEXT) .. PART .. table.concat(values, NEXT)
end

-- What is to be written: objects in their order, and fields.  Of an object:
-- names and values as its pack has them, how many (n), and those too long for
-- it.
local function rows_of(generation)
    return { generation = generation, number = tonumber(generation), of = {},
             order = {}, objects = {}, fields = {}, moved = {}, more = 0,
             bytes = 0 }
end

local function object_of(w, object)
    local o = w.of[object]
    if not o then
        o = { object = object, names = nil, values = nil, n = 0, long = nil }
        w.of[object] = o
        w.order[#w.order + 1] = o
        w.objects[#w.order] = object
    end
    return o
end

-- n parameters that follow each other, of one object
local function add_range(w, object, n, names, values)
    local o = object_of(w, object)
    if o.names then
        o.names, o.values = o.names .. NEXT .. names, o.values .. NEXT .. values
    else
        o.names, o.values = names, values
    end
    o.n = o.n + n
    w.bytes = w.bytes + #names + #values + n * (#object + PARAM_BYTES)
end

-- one that is in no pack
local function add_alone(w, path, value)
    local object, leaf = string.match(path, '^(.+%.)([^.]*)$')
    if leaf == '' or path == MARKS then
        return
    end
    w.fields[#w.fields + 1] = path
    w.fields[#w.fields + 1] = w.generation .. value
    w.bytes = w.bytes + #path + #value + PARAM_BYTES
    if object then
        local o = object_of(w, object)
        o.long = o.long or {}
        o.long[leaf] = true
    end
end

-- The rows by their object: name, letter and value, ...  A table for each of
-- them would cost more than all the rest: they are ranges of two lists.  (No
-- XML has what separates them in a pack.)
local function sorted_out(generation, rows, first)
    local w, leaves, values = rows_of(generation), {}, {}
    local most, find = PACK.bytes, string.find
    local object, size, from, n = nil, 0, 1, 0
    local function take()
        if from <= n then
            add_range(w, object, n - from + 1,
                      table.concat(leaves, NEXT, from, n),
                      table.concat(values, NEXT, from, n))
        end
        from = n + 1
    end
    for i = first, #rows - 1, 2 do
        local path, value = rows[i], rows[i + 1]
        if not object or find(path, object, 1, true) ~= 1
           or find(path, '.', size + 1, true)
        then
            take()
            object = string.match(path, '^.+%.')
            size = #(object or '')
        end
        if object and #path > size and #path + #value <= most + size then
            n = n + 1
            leaves[n], values[n] = string.sub(path, size + 1), value
        else
            add_alone(w, path, value)
        end
    end
    take()
    return w
end

-- The same, by object already: object, how many, names, values; or path, 0,
-- nothing, letter and value; ...
local function taken(generation, args, first)
    local w, total = rows_of(generation), 0
    for i = first, #args - 3, 4 do
        local n = tonumber(args[i + 1])
        if n > 0 then
            add_range(w, args[i], n, args[i + 2], args[i + 3])
        else
            add_alone(w, args[i], args[i + 3])
        end
        total = total + math.max(n, 1)
    end
    return w, total
end

-- what the pack has no longer is taken out of it
local function take_out(w, o, generations, names, values)
    for i = #names, 1, -1 do
        if o.long[names[i]] then
            table.remove(generations, i)
            table.remove(names, i)
            table.remove(values, i)
            w.more = w.more - 1
        end
    end
end

-- The pack of an object after these are written; nil when none is needed.
local function merge(w, o, raw)
    local generations, names, values = unpacked(raw)
    if not names then                       -- there is none, or it is damaged
        generations, names, values = {}, {}, {}
    end
    local each, at = type(generations) == 'table' and generations or {}, {}
    for i, name in ipairs(names) do
        at[name], each[i] = i, each[i] or generations
    end
    local news = o.names and list_of(o.values) or {}
    for i, leaf in ipairs(o.names and list_of(o.names) or {}) do
        local n = at[leaf]
        if not n and #names < PACK.leaves then
            n = #names + 1
            names[n], at[leaf] = leaf, n
            w.more = w.more + 1
            w.moved[#w.moved + 1] = o.object .. leaf
        end
        if n then
            values[n], each[n] = news[i], w.number
        else
            w.fields[#w.fields + 1] = o.object .. leaf
            w.fields[#w.fields + 1] = w.generation .. news[i]
        end
    end
    if o.long then
        take_out(w, o, each, names, values)
    end
    return names[1] and packed(each, names, values)
end

-- Is a pack of these names in this order, of one read?  Most are, when a device
-- is read again: then it is replaced unseen.
local function is_of(raw, names)
    local at = string.find(raw, '%D')
    return at and string.byte(raw, at) == 2
           and string.find(raw, names, at + 1, true) == at + 1
           and string.byte(raw, at + 1 + #names) == 2
end

-- told twice, once short and once long?
local function has_long(o)
    local all = NEXT .. o.names .. NEXT
    for leaf in pairs(o.long) do
        if string.find(all, NEXT .. leaf .. NEXT, 1, true) then
            return true
        end
    end
    return false
end

-- the pack as these make it; most are the first of an object, or all of it
local function renewed(w, o, raw)
    if not o.names or o.n > PACK.leaves or raw and not is_of(raw, o.names)
       or o.long and has_long(o)
    then
        return merge(w, o, raw)
    end
    if not raw then
        w.more = w.more + o.n
        for _, leaf in ipairs(not w.none and list_of(o.names) or {}) do
            w.moved[#w.moved + 1] = o.object .. leaf
        end
    end
    return w.generation .. PART .. o.names .. PART .. o.values
end

-- these fields of a hash, however many
local function fields_of(key, names)
    local got = {}
    for i = 1, #names, SLICE do
        local last = math.min(i + SLICE - 1, #names)
        for j, value in ipairs(call('HMGET', key, unpack(names, i, last))) do
            got[i + j - 1] = value
        end
    end
    return got
end

local function change(command, key, list)
    for i = 1, #list, SLICE do
        call(command, key, unpack(list, i, math.min(i + SLICE - 1, #list)))
    end
end

local function write_packs(c, w)
    local fields, gone = w.fields, {}
    local old = c.none and {} or fields_of(c.k[PARAMS], w.objects)
    w.none = c.none
    for i, o in ipairs(w.order) do
        local raw = old[i]
        local new = renewed(w, o, raw)
        if new and new ~= raw then
            fields[#fields + 1] = o.object
            fields[#fields + 1] = new
        elseif raw and not new then
            gone[#gone + 1] = o.object
        end
    end
    if not c.none then
        change('HDEL', c.k[PARAMS], w.moved)
    end
    change('HDEL', c.k[PARAMS], gone)
    change('HSET', c.k[PARAMS], fields)
    if w.more ~= 0 then
        call('HINCRBY', c.k[DEVICE], 'packed', w.more)
    end
    c.none = false
end

-- n parameters; how many of them are stored
local function store(c, w, n, run)
    if no_room(c, w.bytes) then
        note(c, 'more than ' .. PARAMS_MAX .. ' parameters, or '
                .. PARAMS_BYTES .. ' bytes of them: not stored')
        if run then
            call('HSET', c.k[RUNNING], 'full', '1')
        end
        due(c, 'g', nil, c.now, 'NX')
        return 0
    end
    write_packs(c, w)
    return n
end

function write_params(c, generation, rows, first, run)
    local n = #rows - first + 1
    if n <= 0 or run and run.full == '1' then
        return 0
    end
    return store(c, sorted_out(generation, rows, first), n / 2, run)
end

function write_objects(c, generation, args, first, run)
    if run.full == '1' then
        return 0
    end
    local w, n = taken(generation, args, first)
    return store(c, w, n, run)
end

-- Generations, and type letters with values, of these paths: false for what is
-- not stored.
function stored(key, paths)
    local ask, place, objects = {}, {}, {}
    for i, path in ipairs(paths) do
        local object = string.match(path, '^(.+%.)[^.]*$')
        ask[i], objects[i] = path, object or false
    end
    for _, object in ipairs(objects) do
        if object and not place[object] then
            ask[#ask + 1] = object
            place[object] = #ask
        end
    end
    local got = fields_of(key, ask)
    local known, generations, values = {}, {}, {}
    for object, i in pairs(place) do
        local each, names, of = unpacked(got[i])
        for j, name in ipairs(names or {}) do
            known[object .. name] = { type(each) == 'table' and each[j] or each,
                                      of[j] }
        end
    end
    for i, path in ipairs(paths) do
        local k = known[path]
        if k then
            generations[i], values[i] = k[1], k[2]
        elseif got[i] then
            generations[i], values[i] = string.match(got[i], '^(%d+)(%a.*)$')
            generations[i] = tonumber(generations[i])
        end
        generations[i] = generations[i] or false
        values[i] = values[i] or false
    end
    return generations, values
end

function load_marks(key)
    local raw = call('HGET', key, MARKS)
    return raw and decode(raw) or {}
end

-- A function that tells the generation below which a path is gone.  A path has
-- as many beginnings as dots: only those as long as some mark are looked at.
function gone_by(marks)
    local lengths, seen = {}, {}
    for path in pairs(marks) do
        if path ~= '' and not seen[#path] then
            seen[#path] = true
            lengths[#lengths + 1] = #path
        end
    end
    local all = marks[''] or 0
    return function(path)
        local low = all
        for _, n in ipairs(lengths) do
            if string.byte(path, n) == 46 then          -- a dot
                local m = marks[string.sub(path, 1, n)]
                if m and m > low then
                    low = m
                end
            end
        end
        return low
    end
end

-- these paths were read completely, or deleted: older values below are gone
function mark_read(c, generation, paths)
    local marks, n = nil, 0
    for _, path in ipairs(paths) do
        if path == '' or string.sub(path, -1) == '.' and #path <= MARK_BYTES
        then
            marks = marks or load_marks(c.k[PARAMS])
            marks[path] = tonumber(generation)
        end
    end
    if not marks then
        return
    end
    local gone_before = gone_by(marks)
    for path, g in pairs(marks) do
        -- nothing to say that a mark above it does not, or more than is kept:
        -- what is gone below it then stays until it is read by another path
        local above = string.match(path, '^(.-)[^.]*%.$')
        if n >= MARKS_MAX or above and gone_before(above) >= g then
            marks[path] = nil
        else
            n = n + 1
        end
    end
    call('HSET', c.k[PARAMS], MARKS, cjson.encode(marks))
    -- a sweep that is under way has passed over what this one makes untrue
    local at, upto = string.match(call('HGET', c.k[DEVICE], 'sweep') or '',
                                  SWEEP)
    if at and tonumber(upto) >= tonumber(generation) then
        call('HSET', c.k[DEVICE], 'sweep', at .. ' ' .. generation - 1)
    end
    local reads = call('HINCRBY', c.k[DEVICE], 'reads', 1)
    if n >= MARKS_MAX or reads % SWEEP_AFTER == 0
       or call('HLEN', c.k[PARAMS]) > SWEEP_ABOVE
    then
        due(c, 'g', nil, c.now, 'NX')
    end
end

local function split_value(raw)
    local generation, value = string.match(raw, '^(%d+)(%a.*)$')
    return tonumber(generation), value
end

local function is_object(field)
    return field ~= MARKS and string.byte(field, -1) == 46      -- a dot
end

-- What there is of a field, by paths: is called for each that is not gone.
local function each_of(field, raw, gone_before, seen)
    if not is_object(field) then
        local generation, value = split_value(raw)
        if generation and generation >= gone_before(field) then
            seen(field, value)
        end
        return
    end
    local generations, names, values = unpacked(raw)
    local low, one = gone_before(field), type(generations) == 'number'
    if not names or one and generations < low then
        return                              -- damaged, or gone
    end
    for i, name in ipairs(names) do
        if one or generations[i] >= low then
            seen(field .. name, values[i])
        end
    end
end

function cwmp_params(keys, args)
    local raw, marks = call('HGETALL', keys[1]), load_marks(keys[1])
    local prefix, paths, values = args[1] or '', {}, {}
    local gone_before, n = gone_by(marks), #prefix
    local function seen(path, value)
        if string.sub(path, 1, n) == prefix then
            if not values[path] then
                paths[#paths + 1] = path
            end
            values[path] = value
        end
    end
    for i = 1, #raw, 2 do
        local field = raw[i]
        local m = math.min(n, #field)
        if field ~= MARKS and string.sub(field, 1, m) == string.sub(prefix, 1, m)
        then
            each_of(field, raw[i + 1], gone_before, seen)
        end
    end
    table.sort(paths)
    local out = {}
    for i, path in ipairs(paths) do
        local value = values[path]
        out[3 * i - 2] = path
        out[3 * i - 1] = 'xsd:' .. (TYPES[string.sub(value, 1, 1)] or 'string')
        out[3 * i] = string.sub(value, 2)
    end
    return out
end

-- what is left of a pack, and how many are gone
local function swept(raw, low)
    local generations, names, values = unpacked(raw)
    if not names then
        return nil, 0
    elseif type(generations) == 'number' then
        return generations >= low and raw, generations < low and #names or 0
    end
    local g, n, v = {}, {}, {}
    for i, generation in ipairs(generations) do
        if generation >= low then
            g[#g + 1], n[#n + 1], v[#v + 1] = generation, names[i], values[i]
        end
    end
    if #n == #names then
        return raw, 0
    end
    return n[1] and packed(g, n, v), #names - #n
end

-- Takes away what is gone of a field: how many bytes, and how many of a pack.
local function sweep_field(c, field, raw, low)
    if not is_object(field) then
        local generation = split_value(raw)
        if not generation or generation >= low then
            return 0, 0
        end
        call('HDEL', c.k[PARAMS], field)
        return #field + #raw + PARAM_BYTES, 0
    end
    local left, gone = swept(raw, low)
    if left == raw then
        return 0, 0
    elseif left then
        call('HSET', c.k[PARAMS], field, left)
    else
        call('HDEL', c.k[PARAMS], field)
    end
    return #raw - #(left or '') + gone * (#field + PARAM_BYTES), gone
end

-- Removes what no reader sees any more, a slice a call; after the last slice
-- the marks that were there at the first: those up to that generation.
function sweep(c)
    local marks = load_marks(c.k[PARAMS])
    local state = hash_fields(c.k[DEVICE], { 'sweep', 'gen', 'bytes' })
    local cursor, upto = string.match(state.sweep or '', SWEEP)
    upto = tonumber(upto or state.gen or 0)
    -- as many as are small, or fewer
    local each = math.max((tonumber(state.bytes) or 0)
                          / (call('HLEN', c.k[PARAMS]) + 1), 1)
    local most = math.floor(math.min(SLICE, SWEEP_BYTES / each)) + 10
    local got = call('HSCAN', c.k[PARAMS], cursor or '0', 'COUNT', most)
    local gone_before = gone_by(marks)
    local bytes, gone = 0, 0
    for i = 1, #got[2], 2 do
        local field = got[2][i]
        if field ~= MARKS then
            local b, n = sweep_field(c, field, got[2][i + 1],
                                     gone_before(field))
            bytes, gone = bytes + b, gone + n
        end
    end
    if gone > 0 then
        call('HINCRBY', c.k[DEVICE], 'packed', -gone)
    end
    if bytes > 0 then
        call('HINCRBY', c.k[DEVICE], 'bytes', -bytes)
        call('HDEL', c.k[DEVICE], 'full')
    end
    if got[1] ~= '0' then
        call('HSET', c.k[DEVICE], 'sweep', got[1] .. ' ' .. upto)
        due(c, 'g', nil, c.now)
        return
    end
    for path, generation in pairs(marks) do
        if generation <= upto then
            marks[path] = nil
        end
    end
    if next(marks) then
        call('HSET', c.k[PARAMS], MARKS, cjson.encode(marks))
    else
        call('HDEL', c.k[PARAMS], MARKS)
    end
    call('HDEL', c.k[DEVICE], 'sweep')
end

end


-- ------------------------------------------------------------------- tasks

--[[
  live: id -> "QUEUED-MS JSON"; besides "=a ID" -> how often it was sent,
  "=p ID" -> its phase, "=v ID" -> how often it was read back, "=s ID" -> when
  it was sent last, "=u ID" -> 1 when what it did then is unknown, "=w ID" ->
  the event that it waits for, "=l ID" and "=r ID" -> the progress of a task of
  several messages (below), and "=k COMMANDKEY" -> id.  queue: id by order.
  A task that may not run yet sits above LATER, at LATER + its time in ms
  (notBefore), or above AFTER, until an Inform brings its event.
]]

-- what a CPE echoes of the task: its CommandKey (TR-069 limits it to 32)
local function command_key(id, task)
    local m = METHODS[task.method]
    if type(task.CommandKey) == 'string' and task.CommandKey ~= ''
       and not (m and m.cancels)
    then
        return task.CommandKey
    end
    if #id <= 32 then
        return id
    end
    return string.sub(redis.sha1hex(id), 1, 32)
end

-- what is sent as ParameterKey; that of an AddObject whose values follow
-- differs from theirs, so that each of the two can be told from the other
local function parameter_key(id, task, phase)
    if type(task.ParameterKey) == 'string' and task.ParameterKey ~= '' then
        return task.ParameterKey
    end
    local key = command_key(id, task)
    if task.method == 'AddObject' and task.values and phase == '' then
        return (#key < 32 and key or string.sub(redis.sha1hex(key), 1, 31))
               .. '+'
    end
    return key
end

-- a task, its JSON, and when it was queued; the last one is kept
local function load_task(c, id)
    local last = c.last
    if not last or last.id ~= id then
        local entry = call('HGET', c.k[LIVE], id)
        if not entry then
            return nil
        end
        local queued, json = string.match(entry, '^(%d+) (.*)$')
        last = { id = id, task = decode(json or '') or {}, json = json or '',
                 queued = tonumber(queued) }
        c.last = last
    end
    return last.task, last.json, last.queued
end

local several = {}                  -- (Lua takes 200 locals in a file)

-- In a Cluster, while a slot moves, a key that is not here may be there: asked for
-- several at once Redis says so, before anything is written.
function several.be_whole(k)
    local got = redis.pcall('EXISTS', k[DEVICE], k[TASKS], k[DUE])
    if type(got) == 'table' and string.find(got.err, 'non local', 1, true) then
        error({ err = 'TRYAGAIN this slot is being moved: ' .. got.err }, 0)
    end
end

-- the same for a partition, by one of its keys
function several.be_whole_at(key)
    several.be_whole(keys_of(string.match(key, '^(.*})') .. ':-', '-'))
end

-- results are kept by number and by age

function several.trim(c)
    call('XTRIM', c.k[RESULTS], 'MINID',
         string.format('%.0f', c.now - BOUND.results * 1000))
end

local function write_result(c, r)
    call('XADD', c.k[RESULTS], 'MAXLEN', '~', RESULTS_MAX, '*', 'id', r.id,
         'method', r.method or '', 'status', r.status, 'fault', r.fault or '',
         'response', r.response or '', 'queued', seconds(r.queued or c.now),
         'sent', r.sent and seconds(r.sent) or '', 'ended', seconds(c.now))
    several.trim(c)
    event(c, 'task', 'id', r.id, 'method', r.method or '', 'status', r.status)
end

-- an id without its task ends, too
function several.vanished(c, id)
    write_result(c, { id = id, status = 'lost', fault = reason_json(
                 'its entry in live was gone') })
    several.drop(c, id, {})
end

-- Status of an object and of its values: 1 when one of them is only active later
function several.worst(run, status)
    return math.max(tonumber(run.made) or 0, tonumber(status) or 0)
end

-- Progress of a task: parts of its list as { FROM, TO }; those of what a read
-- is to do also as names { n = ... }, or as a path whose next level is listed
-- first, { l = PATH }.
function several.are_parts(list, names)
    for _, p in ipairs(type(list) == 'table' and list or {}) do
        if type(p) ~= 'table' then
            return false
        elseif names and type(p.n) == 'table' then
            for _, name in ipairs(p.n) do
                if type(name) ~= 'string' then
                    return false
                end
            end
        elseif not (names and type(p.l) == 'string')
               and not (type(p[1]) == 'number' and type(p[2]) == 'number')
        then
            return false
        end
    end
    return list == nil or type(list) == 'table' and #list > 0
end

-- what a read has besides: names that failed, and how far it is
function several.is_read(w)
    for _, b in ipairs(type(w.bad) == 'table' and w.bad or {}) do
        if type(b) ~= 'table' or type(b[1]) ~= 'string' then
            return false
        end
    end
    return type(w.bad) == 'table' and type(w.left) == 'table'
           and type(w.rpcs) == 'number' and type(w.most) == 'number'
           and type(w.gen) == 'number'
end

-- nil when there is none, or when it was damaged
function several.load_work(c, id, method)
    local raw = call('HGET', c.k[LIVE], '=l ' .. id)
    local w = raw and decode(raw)
    local reads = (METHODS[method] or {}).reads
    if w and (w.left or w.reads) and several.are_parts(w.left, reads)
       and several.are_parts(w.reads)
       and (reads and several.is_read(w) or not reads
            and (w.applied == nil or type(w.applied) == 'number'
                                     and type(w.size) == 'number'))
    then
        return w
    end
end

-- the rows of several reads as those of one
function several.list_of(rows, w)
    return '{"ParameterList":[' .. (rows or '') .. ']'
           .. (w.cut and ',"count":' .. w.count .. ',"truncated":true' or '')
           .. '}'
end

-- what a task that does not end well did all the same; has it changed anything?
function several.so_far(c, id, method)
    local w = several.load_work(c, id, method)
    if not w then
        return nil, false
    elseif w.applied then
        return w.applied > 0 and '{"applied":' .. w.applied .. ',"of":'
               .. w.size .. '}' or nil, w.applied > 0
    end
    local rows = call('HGET', c.k[LIVE], '=r ' .. id)
    return w.count and several.list_of(rows, w), false
end

-- the device has it no longer
function several.drop(c, id, task)
    c.last = nil
    call('HDEL', c.k[LIVE], id, '=a ' .. id, '=p ' .. id, '=v ' .. id,
         '=s ' .. id, '=u ' .. id, '=w ' .. id, '=l ' .. id, '=r ' .. id,
         '=k ' .. command_key(id, task))
    call('ZREM', c.k[QUEUE], id)
    if task.expires then
        not_due(c, 'x', id)
    end
end

-- the one end of a task that was accepted
local function finish(c, id, status, more)
    local task, _, queued = load_task(c, id)
    if not task then
        return several.vanished(c, id)
    end
    more = more or {}
    local changed = false
    if not more.response then
        more.response, changed = several.so_far(c, id, task.method)
    end
    -- sent before, no answer, and not a mere read: who knows what it did
    if (status == 'expired' or status == 'cancelled') and not more.answered
       and (METHODS[task.method] or {}).lost ~= 'again'
       and (changed or more.sent
            or call('HGET', c.k[LIVE], '=u ' .. id) == '1')
    then
        more.fault = reason_json(status .. (changed
                                 and ', but the first parts of its list had '
                                     .. 'been applied before'
                                 or ', but it had been sent before, and the '
                                    .. 'session ended without an answer'))
        status = 'lost'
    end
    local sent = more.sent
    if not sent and not more.unsent then
        sent = tonumber(call('HGET', c.k[LIVE], '=s ' .. id))
    end
    write_result(c, { id = id, method = task.method, status = status,
                      fault = more.fault, response = more.response,
                      queued = queued, sent = sent })
    several.drop(c, id, task)
end

local function characters(s)
    return #(string.gsub(s, '[\128-\191]', ''))
end

local function whole(v, low, high)
    return type(v) == 'number' and v == math.floor(v) and v >= low
           and v <= high
end

-- fields of ours: what each may be, and what to say otherwise
local FIELDS = {
    { 'expires', 'a Unix time in seconds',
      function(v) return whole(v, 0, 1e11) end },
    { 'notBefore', 'a Unix time in seconds',
      function(v) return whole(v, 0, 1e11) end },
    { 'attempts', 'a whole number from 1 to 100',
      function(v) return whole(v, 1, 100) end },
    { 'after', 'an event such as 8, "8 DIAGNOSTICS COMPLETE" or "M Reboot"',
      function(v)
          if type(v) ~= 'string' then
              return whole(v, 0, 99999)
          end
          local _, code = event_code(string.sub(v, 1, 64))
          return #v <= 64 and (string.find(code, '^%d+$')
                               or string.find(code, '^[MX] ')) ~= nil
      end },
    { 'priority', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'wake', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'new', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'retry', 'true or false', function(v) return type(v) == 'boolean' end },
    { 'note', 'a text of at most 256 bytes',
      function(v) return type(v) == 'string' and #v <= 256 end },
    { 'CommandKey', 'a text of at most 32 characters',
      function(v) return type(v) == 'string' and characters(v) <= 32 end },
}

local function is_id(v)
    return type(v) == 'string' and #v <= 64
           and string.find(v, '^[%w%._:%-]+$') ~= nil
end

-- those that an event ends by its CommandKey, or that name another's
local function has_command_key(m)
    return m.cancels or m.event and m.event ~= '0'
end

-- a task, or nil, the field, the reason
local function parse_task(json)
    if #json > TASK_BYTES then
        return nil, 'task', 'is longer than ' .. TASK_BYTES .. ' bytes'
    end
    local task, why = decode(json)
    if not task then
        return nil, 'task', why
    end
    if type(task.method) ~= 'string' then
        return nil, 'method', 'is missing, or is not a text', task
    end
    if not METHODS[task.method] then
        return nil, 'method', 'unknown method ' .. shown(task.method, 64),
               task
    end
    if task.id ~= nil and not is_id(task.id) then
        return nil, 'id', 'is not a text of 1 to 64 of A-Z a-z 0-9 . _ : -'
               .. (type(task.id) == 'string' and ': ' .. shown(task.id, 100)
                   or ''), task
    end
    if task.CommandKey ~= nil and not has_command_key(METHODS[task.method]) then
        return nil, 'CommandKey', 'is no field of this task', task
    end
    for _, f in ipairs(FIELDS) do
        local v = task[f[1]]
        if v ~= nil and not f[3](v) then
            return nil, f[1], 'is not ' .. f[2], task
        end
    end
    return task
end

-- a number that no other task of this device has, and an id made of it
local function next_number(c)
    local n = call('HINCRBY', c.k[DEVICE], 'order', 1)
    return n, string.format('t%x-%d', c.now, n)
end

-- where the task stands in the queue, once nothing but time holds it back
local function place(c, task, order)
    local score = order or call('HINCRBY', c.k[DEVICE], 'order', 1)
    if task.notBefore and task.notBefore * 1000 > c.now then
        score = LATER + task.notBefore * 1000
    elseif task.priority then
        score = URGENT + score
    end
    return string.format('%.0f', score)
end

-- Gives the task an id and a place in the queue: nil when refused.
local function accept(c, task, json)
    local id = task.id
    if id and call('HEXISTS', c.k[LIVE], id) == 1 then
        return nil, 'id', 'a task of the id ' .. id .. ' lives'
    end
    local order, made = next_number(c)
    id = id or made
    local key = command_key(id, task)
    if call('HSETNX', c.k[LIVE], '=k ' .. key, id) == 0 then
        return nil, 'CommandKey', 'a task of this CommandKey lives'
    end
    call('HSET', c.k[LIVE], id, c.now .. ' ' .. json)
    call('HDEL', c.k[DEVICE], 'free')
    call('HDEL', c.k[SESSION], 'f')
    c.free = false
    c.last = { id = id, task = task, json = json, queued = c.now }
    local score
    if task.after then
        call('HSET', c.k[LIVE], '=w ' .. id,
             (select(2, event_code(tostring(task.after)))))
        score = string.format('%.0f', AFTER + order)
    end
    call('ZADD', c.k[QUEUE], score or place(c, task, order), id)
    if task.expires then
        due(c, 'x', id, task.expires * 1000)
    end
    return id
end

-- The result of what was never accepted has an id that no living task has.
local function reject(c, json, task, field, reason)
    local id, method
    local _, made = next_number(c)
    if task then
        id = is_id(task.id) and task.id or nil
        if id and call('HEXISTS', c.k[LIVE], id) == 1 then
            if field ~= 'id' then
                reason = reason .. '; a task of the id ' .. id .. ' lives'
            end
            id = nil
        end
        method = type(task.method) == 'string'
                 and string.match(task.method, '^[%w_]+$')
                 and string.sub(task.method, 1, 64) or nil
    end
    write_result(c, { id = id or made, method = method,
                      status = 'rejected', fault = reason_json(reason, field),
                      response = shown(json, 200) })
    note(c, 'task ' .. (id or made) .. ' rejected: ' .. field .. ': '
            .. reason)
end

local function room(c)              -- for tasks, of those that may live
    return QUEUE_MAX - call('ZCARD', c.k[QUEUE]) - call('HLEN', c.k[WAITING])
end

-- From the inbox to the queue; true when something is left in the inbox.
local function intake(c, most)
    for _ = 1, math.min(most, room(c)) do
        if (c.taken or 0) >= INTAKE_BYTES then
            return true
        end
        local json = redis.pcall('LPOP', c.k[TASKS])
        if not json then
            return false
        end
        if type(json) == 'table' then
            note(c, c.k[TASKS] .. ' is not a list: delete it, and RPUSH tasks')
            return false
        end
        c.taken = (c.taken or 0) + #json
        local task, field, reason, bad = parse_task(json)
        local id
        if task then
            id, field, reason = accept(c, task, json)
        end
        if not id then
            reject(c, json, task or bad, field, reason)
        end
    end
    return true
end

-- Those whose notBefore has come join the queue's end; as many as may be decoded
-- in a step, the others in the next one.
local function ripen(c)
    local ripe = call('ZRANGEBYSCORE', c.k[QUEUE], LATER, LATER + c.now,
                      'LIMIT', 0, SLICE)
    for _, id in ipairs(ripe) do
        if (c.ripened or 0) >= INTAKE_BYTES then
            return
        end
        local task, json = load_task(c, id)
        c.ripened = (c.ripened or 0) + #(json or '')
        call('ZADD', c.k[QUEUE], place(c, task or {}), id)
    end
end

-- so do those whose event this Inform brings; true when there is one
local function release(c, codes)
    local ids = call('ZRANGEBYSCORE', c.k[QUEUE], AFTER, '+inf', 'LIMIT', 0,
                     QUEUE_MAX)
    if #ids == 0 then
        return false
    end
    local names, found = {}, false
    for i, id in ipairs(ids) do
        names[i] = '=w ' .. id
    end
    for i, code in ipairs(call('HMGET', c.k[LIVE], unpack(names))) do
        if not code or codes[code] then
            call('HDEL', c.k[LIVE], names[i])
            -- as if its notBefore had come long ago
            call('ZADD', c.k[QUEUE], string.format('%.0f', LATER + i), ids[i])
            found = true
        end
    end
    if found then
        ripen(c)
    end
    return found
end

-- The next task that may run: id, its score, task, JSON, when it was queued.
local function pick(c)
    ripen(c)
    while true do
        local head = call('ZRANGEBYSCORE', c.k[QUEUE], '-inf',
                          '(' .. string.format('%.0f', LATER), 'WITHSCORES',
                          'LIMIT', 0, 1)
        if not head[1] then
            return nil
        end
        local task, json, queued = load_task(c, head[1])
        if not task then
            several.vanished(c, head[1])
        elseif not METHODS[task.method] then
            finish(c, head[1], 'lost', { fault = reason_json(
                   'its entry in live was damaged') })
        elseif task.expires and task.expires * 1000 <= c.now then
            if (c.expired or 0) >= BOUND.expired then
                return nil          -- the deadlines end them meanwhile
            end
            c.expired = (c.expired or 0) + #json
            finish(c, head[1], 'expired')
        else
            return head[1], head[2], task, json, queued
        end
    end
end


-- ------------------------------------------------------------------ quirks

--[[
  What differs between models is data: rows "OUI/ProductClass/SoftwareVersion"
  -> JSON of quirks, those that come with us and those in the QUIRKS key.  An
  Inform merges the rows that match its device, the more specific over the
  less (a quirk that is as usual is left out); the device keeps the outcome as
  long as neither it nor the rows change, and the session has it as q.

  In QUIRKS the field "." is a number that grows with each change.

  To add a quirk: its row here and in docs/quirks.md, and who heeds it: by
  quirk(s, NAME), or, when it is about how envelopes are written, by its name
  in STYLE and a row of cwmp_style_words[] (core/cwmp_style.c).
]]
local quirk, device_quirks, style_of, generation_of

local RULES = VERSION .. '.'        -- the rows here, and all that is made of them

do  -- Lua takes 200 local names in a block

local GENERATION = '.'

local function a_switch(v)
    return type(v) == 'boolean'
end

local function a_count(v)
    return whole(v, 1, 100000)
end

local function one_of(...)
    local words = { ... }
    return function(v)
        for _, word in ipairs(words) do
            if v == word then
                return true
            end
        end
        return false
    end
end

local SWITCH, COUNT = 'true or false', 'a whole number from 1 to 100000'

-- what is usual, what may be written, and whether this is it
local QUIRK = {
    booleans   = { 'digits', '"digits" or "words"', one_of('digits', 'words') },
    nextLevel  = { '', '"digits" or "words"', one_of('digits', 'words') },
    emptyTags  = { 'long', '"long" or "short"', one_of('long', 'short') },
    prefix     = { 'soap-env',
                   '"soap-env", "SOAP-ENV", "soap", "soapenv" or "s"',
                   one_of('soap-env', 'SOAP-ENV', 'soap', 'soapenv', 's') },
    declaration      = { true, SWITCH, a_switch },
    rootNames        = { true, SWITCH, a_switch },
    transferComplete = { true, SWITCH, a_switch },
    commandKey       = { true, SWITCH, a_switch },
    valuesAtMost     = { 100000, COUNT, a_count },
    namesAtMost      = { 100000, COUNT, a_count },
    partialPaths     = { true, SWITCH, a_switch },
    confirmSet       = { false, SWITCH, a_switch },
}

-- what the writer of envelopes needs to know, in its words
local STYLE = { 'booleans', 'nextLevel', 'emptyTags', 'prefix', 'declaration' }

-- rows that come with us, each seen at a device or an agent as it is delivered
local BUILT_IN = {
    -- answers hold 256 values, and no word of the others; Status 0 is no proof
    { '*/HN8145X6N/*', '{"valuesAtMost":256,"confirmSet":true}' },
    -- agents that take a declaration for no XML: netcwmp, Orange's tr069agent
    { 'A00001/OT2800/*', '{"declaration":false}' },
    { '0016AE/TR69Generic/*', '{"declaration":false}' },
}

-- This one of the session's device, or nil when it is as usual; s is a session
-- or a context, or whatever holds the JSON as q.  False is a value: compare.
function quirk(s, name)
    if not s.q or s.q == '' then
        return nil
    end
    s.quirks = s.quirks or decode(s.q) or {}
    return s.quirks[name]
end

function several.sorted_names(t)
    local names = {}
    for name in pairs(t) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end

-- a row's quirks, or nil, which one, and what is wrong with it
local function parse_quirks(json)
    if #json > QUIRKS_BYTES then
        return nil, 'quirks', 'are longer than ' .. QUIRKS_BYTES .. ' bytes'
    end
    local quirks, why = decode(json)
    if not quirks then
        return nil, 'quirks', why
    end
    for _, name in ipairs(several.sorted_names(quirks)) do
        local known = QUIRK[name]
        if not known then
            return nil, shown(name, 64), 'is no quirk; there are '
                   .. table.concat(several.sorted_names(QUIRK), ', ')
        end
        if not known[3](quirks[name]) then
            return nil, name, 'is not ' .. known[2]
        end
    end
    return quirks
end

-- the three parts of a match; in each, * is any text and %XX a character
local function split_match(match)
    return string.match(match, '^([^/]*)/([^/]*)/([^/]*)$')
end

-- a match in its one form, or nil and what is wrong with it
local function parse_match(match)
    if #match > MATCH_BYTES then
        return nil, 'is longer than ' .. MATCH_BYTES .. ' bytes'
    end
    local oui, class, version = split_match(match)
    if not oui then
        return nil, 'is not OUI/ProductClass/SoftwareVersion; write * for any,'
               .. ' and %2F for a / in one of them'
    end
    if oui == '' then
        return nil, 'has no OUI; write * for any'
    end
    if string.find(match, '[%c\127]') then
        return nil, 'has control characters; write them as %XX'
    end
    if string.find((string.gsub(match, '%%%x%x', '')), '%', 1, true) then
        return nil, 'has a % that begins no %XX; write %25'
    end
    return string.upper(oui) .. '/' .. class .. '/' .. version
end

-- the texts between the stars, and how many characters they have
local function pieces_of(part)
    local pieces, literal = {}, 0
    for piece in string.gmatch(part .. '*', '([^*]*)%*') do
        piece = string.gsub(piece, '%%(%x%x)', function(hex)
            return string.char(tonumber(hex, 16))
        end)
        pieces[#pieces + 1] = piece
        literal = literal + #piece
    end
    return pieces, literal
end

-- does the text have these pieces, in this order, and nothing at its ends?
local function fits(pieces, text)
    local n = #pieces
    if n == 1 then
        return text == pieces[1]
    end
    local first, last = pieces[1], pieces[n]
    if string.sub(text, 1, #first) ~= first then
        return false
    end
    local at, rest = #first + 1, #text - #last + 1
    for i = 2, n - 1 do
        local from, to = string.find(text, pieces[i], at, true)
        if not from then
            return false
        end
        at = to + 1
    end
    return at <= rest and string.sub(text, rest) == last
end

-- how many characters of the device's match say; nil: it is another device's
local function specific(match, oui, class, version)
    local total, texts = 0, { oui, class, version }
    for i, part in ipairs({ split_match(match) }) do
        local pieces, literal = pieces_of(part)
        if not fits(pieces, texts[i]) then
            return nil
        end
        total = total + literal
    end
    return total
end

-- own rows after ours when both are as specific; else in the order of bytes
local function less_specific(a, b)
    if a.literal ~= b.literal then
        return a.literal < b.literal
    end
    if a.own ~= b.own then
        return b.own
    end
    return a.match < b.match
end

-- all rows: match, JSON, whether it is an admin's
local function each_quirk(key, take)
    for _, row in ipairs(BUILT_IN) do
        take(row[1], row[2], false)
    end
    local raw = key and redis.pcall('HGETALL', key) or {}
    for i = 1, raw.err and 0 or #raw, 2 do
        if raw[i] ~= GENERATION then
            take(raw[i], raw[i + 1], true)
        end
    end
end

-- the JSON of what holds for this device; '' for nothing
local function merge_quirks(c, oui, class, version)
    local rows, merged = {}, {}
    each_quirk(c.k[QUIRKS], function(match, json, own)
        local good, why = parse_match(match)
        local literal = good and specific(good, oui, class, version)
        if not good then
            note(c, 'quirks of ' .. shown(match, 64) .. ' are ignored: match '
                    .. why)
        elseif literal then
            rows[#rows + 1] = { literal = literal, own = own, match = match,
                                json = json }
        end
    end)
    table.sort(rows, less_specific)
    for _, row in ipairs(rows) do
        local quirks, name, why = parse_quirks(row.json)
        if not quirks then
            note(c, 'quirks of ' .. string.sub(row.match, 1, 64)
                    .. ' are ignored: ' .. name .. ' ' .. why)
        end
        for name, value in pairs(quirks or {}) do
            merged[name] = value
        end
    end
    for name, value in pairs(merged) do
        if value == QUIRK[name][1] then
            merged[name] = nil
        end
    end
    return next(merged) and cjson.encode(merged) or ''
end

-- it is another one after each change of the rows
function generation_of(c)
    if c.generation then
        return c.generation
    end
    local generation = c.k[QUIRKS]
                       and redis.pcall('HGET', c.k[QUIRKS], GENERATION)
    if type(generation) == 'table' then
        note(c, c.k[QUIRKS] .. ' is not a hash: delete it, and use '
                .. 'cwmp_quirk')
        generation = 'x'
    end
    c.generation = generation or '0'
    return c.generation
end

-- What holds for the device of this Inform; made anew, and noted in set, when
-- it or the rows have changed since.
function device_quirks(c, d, f, set)
    local version = f.version ~= '' and f.version or d.version or ''
    local of = RULES .. generation_of(c) .. ' ' .. f.oui .. '/'
               .. f.class .. '/' .. version
    if d.quirksof == of then
        return d.quirks or ''
    end
    local quirks = merge_quirks(c, f.oui, f.class, version)
    for name, value in pairs({ quirksof = of, quirks = quirks }) do
        set[#set + 1] = name
        set[#set + 1] = value
    end
    return quirks
end

-- the same for the writer of envelopes: "prefix=s declaration=false"
function style_of(s, root)
    local words = {}
    for _, name in ipairs(STYLE) do
        if quirk(s, name) ~= nil then
            words[#words + 1] = name .. '=' .. tostring(quirk(s, name))
        end
    end
    if quirk(s, 'rootNames') == false and string.find(root, '^%a[%w_]*$') then
        words[#words + 1] = 'root=' .. root
    end
    return table.concat(words, ' ')
end

-- FCALL cwmp_quirk 1 cwmp:{0}:quirks MATCH JSON: what was done
local function cwmp_quirk(keys, args)
    if not string.find(keys[1], ':{%d+}:quirks$') then
        return redis.error_reply('ERR ' .. keys[1] .. ' is no key of quirks: '
                                 .. 'use cwmp:{0}:quirks')
    end
    local match, why = parse_match(args[1] or '')
    if not match then
        return redis.error_reply('ERR quirk refused: match ' .. why)
    end
    local quirks, name, wrong = parse_quirks(args[2] or '')
    if not quirks then
        return redis.error_reply('ERR quirk refused: ' .. name .. ' ' .. wrong)
    end
    several.be_whole_at(keys[1])
    local done = 'stored'
    if next(quirks) == nil then
        if call('HDEL', keys[1], match) == 0 then
            return 'no such row'
        end
        done = 'removed'
    elseif call('HLEN', keys[1]) > QUIRKS_MAX
           and call('HEXISTS', keys[1], match) == 0
    then
        return redis.error_reply('ERR there are ' .. QUIRKS_MAX .. ' rows of '
               .. 'quirks: make one of several by *, or remove some')
    else
        call('HSET', keys[1], match, args[2])
    end
    -- of all changes, so that rows that somebody deleted and made anew differ
    local generation = call('HGET', keys[1], GENERATION) or ''
    generation = redis.sha1hex(generation .. match .. ' ' .. args[2])
    call('HSET', keys[1], GENERATION, string.sub(generation, 1, 16))
    return done
end

-- FCALL_RO cwmp_quirks 1 cwmp:{0}:quirks: match, JSON, whose it is, ...
local function cwmp_quirks(keys)
    local rows, out = {}, {}
    call('HLEN', keys[1])           -- an error when it is another type
    each_quirk(keys[1], function(match, json, own)
        rows[#rows + 1] = { match = match, json = json, own = own,
                            literal = 0 }
    end)
    table.sort(rows, less_specific)
    for _, row in ipairs(rows) do
        out[#out + 1] = row.match
        out[#out + 1] = row.json
        out[#out + 1] = row.own and 'own' or 'built in'
    end
    return out
end

redis.register_function('cwmp_quirk', cwmp_quirk)
redis.register_function{ function_name = 'cwmp_quirks',
                         callback = cwmp_quirks, flags = { 'no-writes' } }

end -- of quirks


-- ------------------------------------------------ tasks of several messages

--[[
  A list above 32 KB is set, or read, in parts, each an RPC of its own: C says
  where to cut it (verdict "split").  A read that fails is asked for again with
  less: half of the names, then a single path by the next level below it, until
  those names are alone that the device refuses.  What has been done stays done
  when the session ends: the progress is in live.

    left    what is still to do, the first of it now: { FROM, TO } of the
            task's list, { n = { NAME, ... } }, or { l = PATH, c = CODE }: its
            next level is listed, since CODE refused to read it
    reads   parts of a read that comes before (types, verify, confirm)
    size, applied, status, verified     of a set
    rpcs, most, gen, bad, fault, count, cut, unread     of a read: RPCs so far
            and allowed, generation of the first, { NAME, CODE } that failed,
            the fault, rows so far, whether they are more than are kept,
            whether something was left out

  What a device cannot do is kept with it (learned, JSON), and in LEARNED for the
  others of its model, which heed it when two devices have found it, by
  software version: "level VERSION PATH" (PATH is read by level), "names
  VERSION" and "paths VERSION" -> how many names, or names of which one is a
  partial path, a read may have.  Fields are separated by a tab.
]]

-- phases that only read, and what is sent in those that are not the task's own
several.early = { types = true, verify = true, confirm = true }
several.rpc = { types = 'GetParameterValues', verify = 'GetParameterValues',
                confirm = 'GetParameterValues', names = 'GetParameterValues',
                level = 'GetParameterNames', set = 'SetParameterValues',
                compare = 'SetParameterValues', check = 'SetParameterValues',
                confirmed = 'SetParameterValues' }
-- faults of a read that less of it may not have; what devices say for 9005
several.too_much = { ['9002'] = true, ['9003'] = true, ['9004'] = true,
                     ['9005'] = true }

function several.work_of(c, run)
    if run.parts ~= '1' then
        return nil
    end
    run.work = run.work or several.load_work(c, run.id, run.method)
    return run.work
end

function several.save_work(c, run)
    if run.work.left or run.work.reads then
        run.parts = '1'
        call('HSET', c.k[LIVE], '=l ' .. run.id, cjson.encode(run.work))
    else
        run.parts, run.work = '', nil
        call('HDEL', c.k[LIVE], '=l ' .. run.id)
    end
end

function several.is_partial(name)
    return name == '' or string.sub(name, -1) == '.'
end

function several.slice(list, from, to)
    local out = {}
    for i = from + 1, to do
        out[#out + 1] = list[i]
    end
    return out
end

-- items FROM to TO of a part
function several.part_of(part, from, to)
    if part.n then
        return { n = several.slice(part.n, from, to) }
    end
    return { part[1] + from, part[1] + to }
end

-- all parts between these places
function several.parts_at(part, at)
    local parts = {}
    for i = 2, #at do
        parts[#parts + 1] = several.part_of(part, at[i - 1], at[i])
    end
    return parts
end

-- its progress cannot be read: the task ends here
function several.damaged(c, run)
    if run.parts ~= '1' or several.work_of(c, run) then
        return false
    end
    finish(c, run.id, 'lost', { sent = tonumber(run.sent), fault = reason_json(
           'its progress in live was damaged') })
    call('DEL', c.k[RUNNING])
    not_due(c, 's')
    return true
end

-- The task of the RPC outstanding, and its JSON; nil when it ends here, since it
-- is damaged or gone.
function several.outstanding(c, run)
    if several.damaged(c, run) then
        return nil
    end
    local task, json = load_task(c, run.id)
    if not task then
        call('DEL', c.k[RUNNING])
        not_due(c, 's')
        several.vanished(c, run.id)
    end
    return task, json
end

function several.put_first(list, parts)
    local n = #parts
    for i = #list, 1, -1 do
        list[i + n] = list[i]
    end
    for i = 1, n do
        list[i] = parts[i]
    end
end

-- the names that a read's part asks for
function several.names_of(part, task)
    if part.l then
        return { part.l }
    end
    return part.n or several.slice(task.ParameterNames, part[1], part[2])
end

-- what a task reads; nil when C will refuse it
function several.names_to_read(task)
    local names = task.ParameterNames
    if type(names) ~= 'table' or #names == 0 then
        return nil
    end
    for _, name in ipairs(names) do
        if type(name) ~= 'string' then
            return nil
        end
    end
    return names
end

function several.has_partial(names)
    for _, name in ipairs(names) do
        if several.is_partial(name) then
            return true
        end
    end
    return false
end

-- one path for all instances
function several.general(path)
    return (string.gsub(path, '%.%d+%f[.]', '.{i}'))
end

function several.software(c)
    return (string.gsub(call('HGET', c.k[DEVICE], 'version') or '', '%c', '?'))
end

-- what the device itself has refused, as long as it has this software
function several.learned_of(c, version)
    local own = decode(call('HGET', c.k[DEVICE], 'learned') or '{}') or {}
    if own.version ~= version or not tonumber(own['until'])
       or tonumber(own['until']) * 1000 < c.now or type(own.level) ~= 'table'
    then
        return { version = version, level = {} }
    end
    return own
end

-- what this device can read at once: its quirks, and what it or two devices of
-- its model have shown
function several.limits_of(c, s)
    if c.limits then
        return c.limits
    end
    local l = { most = quirk(s, 'namesAtMost') or BOUND.none, level = {},
                names = BOUND.none, paths = BOUND.none,
                partial = quirk(s, 'partialPaths') ~= false }
    local raw = c.k[LEARNED] and redis.pcall('HGETALL', c.k[LEARNED]) or {}
    if raw.err then
        note(c, c.k[LEARNED] .. ' is not a hash: delete it')
        raw = {}
    end
    local version = several.software(c)
    local own = several.learned_of(c, version)
    for i = 1, #raw, 2 do
        local kind, of, path = string.match(raw[i], '^(%a+)\t([^\t]*)\t?(.*)$')
        local found = tonumber(string.match(raw[i + 1], '^%d+'))
        if of ~= version or not found then
            -- another software, or one device has found it
        elseif kind == 'level' then
            l.level[path] = true
        elseif l[kind] then
            l[kind] = found
        end
    end
    for _, path in ipairs(own.level) do
        l.level[path] = true
    end
    l.names = math.min(l.names, tonumber(own.names) or BOUND.none)
    l.paths = math.min(l.paths, tonumber(own.paths) or BOUND.none)
    c.limits = l
    return l
end

-- Room for one more that only this device has found?  Of such a few are kept, and
-- when there are too many things one that another device alone has found goes.
function several.make_room(c, key)
    local all, mine, theirs = call('HGETALL', key), 0, nil
    for i = 2, #all, 2 do
        local id = string.match(all[i], '^%- %d+ (%S+)$')
        if id == c.id then
            mine = mine + 1
        elseif id then
            theirs = all[i - 1]
        end
    end
    if mine < BOUND.alone and #all >= 2 * BOUND.learned and theirs then
        return call('HDEL', key, theirs) == 1
    end
    return mine < BOUND.alone and #all < 2 * BOUND.learned
end

-- What the model has: "FOUND", or "FOUND LESS ID" while only this device has
-- found the less, FOUND being - for nothing.  Two devices have found what the
-- milder one of both says.
function several.learn_model(c, field, value)
    local key = c.k[LEARNED]
    local was = redis.pcall('HGET', key, field)
    if type(was) == 'table' or #field > 2048 then
        return
    end
    if not was and not several.make_room(c, key) then
        return
    end
    local found, less, id = string.match(was or '- - -', '^(%S+) ?(%S*) ?(%S*)$')
    local known, other = tonumber(found), tonumber(less)
    local both = other and id ~= c.id and math.max(other, value)
    if both and not (known and known <= both) then
        known = both
        note(c, 'model learned: ' .. shown(field, 256) .. ' ' .. both)
    end
    if known and string.find(field, '^level') then
        value = known                       -- there is no stricter one
    elseif other and other < value then     -- the stricter one stays open
        value, id = other, id
    else
        id = c.id
    end
    local is = known and string.format('%.0f', known) or '-'
    if not (known and known <= value) then
        is = is .. ' ' .. string.format('%.0f', value) .. ' ' .. id
    end
    call('HSET', key, field, is)
    call('EXPIRE', key, BOUND.lasts)
end

-- The device that refused it is treated so from now on; its model when another
-- device of it has refused the same.
function several.learn(c, kind, value, path)
    local version = several.software(c)
    local own = several.learned_of(c, version)
    own['until'] = math.floor(c.now / 1000) + BOUND.lasts
    if not path then
        own[kind] = value
    elseif #own.level < BOUND.own and #path <= 1024 then
        own.level[#own.level + 1] = path
    end
    call('HSET', c.k[DEVICE], 'learned', cjson.encode(own))
    several.learn_model(c, kind .. '\t' .. version
                           .. (path and '\t' .. path or ''), value)
    c.limits = nil
end

-- so many names were too many: the next read has half of them at most
function several.learn_count(c, names)
    local half = math.floor(#names / 2)
    if half >= BOUND.least then
        several.learn(c, several.has_partial(names) and 'paths' or 'names',
                      half)
    end
end

-- a part as the device's limits cut it
function several.plan(l, names, whole)
    local parts, from, partial = {}, 0, false
    local function cut(to)
        if to > from then
            parts[#parts + 1] = several.part_of(whole, from, to)
        end
        from, partial = to, false
    end
    for i, name in ipairs(names) do
        local path = several.is_partial(name)
        if path and (not l.partial or l.level[several.general(name)]) then
            cut(i - 1)
            parts[#parts + 1] = { l = name }
            from = i
        else
            if i - from > math.min(l.most, (partial or path) and l.paths
                                           or l.names)
            then
                cut(i - 1)
            end
            partial = partial or path
        end
    end
    cut(#names)
    return parts
end

function several.new_read(run, parts, gen)
    run.work = { left = parts, rpcs = 0, bad = {}, gen = tonumber(gen),
                 most = math.min(BOUND.spare + 2 * #parts, BOUND.reads) }
end

-- what a read begins with when it cannot be sent as it is
function several.plan_read(c, s, run, task)
    local names = c.k[LEARNED] and several.names_to_read(task)
    if not names or #names == 1 and not several.is_partial(names[1]) then
        return
    end
    local parts = several.plan(several.limits_of(c, s), names, { 0, #names })
    if #parts > 1 or parts[1].l then
        local gen = call('HGET', c.k[DEVICE], 'gen') or 0
        several.new_read(run, parts, gen + 1)
        several.save_work(c, run)
    end
end

-- A part of what is set was applied: its Status, or how that is known.  The
-- whole's response when it was the last.
function several.part_applied(c, run, status, how)
    local w = run.work
    w.applied = table.remove(w.left, 1)[2]
    w.status = math.max(w.status or 0, tonumber(status) or 0)
    w.verified = w.verified or how
    if #w.left == 0 then
        return '{"Status":' .. w.status .. (w.verified and ',"verified":"'
               .. w.verified .. '"' or '') .. '}'
    end
    several.save_work(c, run)
    call('HSET', c.k[LIVE], '=a ' .. run.id, 0)
    call('HDEL', c.k[LIVE], '=v ' .. run.id)
end

-- the first phase of what is left of a read
function several.read_phase(run)
    return run.work.left[1].l and 'level' or 'names'
end

function several.blame(w, name, code, text)
    w.bad[#w.bad + 1] = { string.sub(name, 1, 1024), code }
    w.fault = w.fault or text
end

-- The first part was too much, or something in it is wrong: less of it.  code
-- is the fault's, or why else it is asked for again.
function several.ask_less(c, run, task, code, text)
    local w = run.work
    local head = table.remove(w.left, 1)
    local names = several.names_of(head, task)
    local root = head.l == '' and call('HGET', c.k[DEVICE], 'root') or ''
    if root ~= '' then
        several.put_first(w.left, { { n = { root .. '.' } } })
    elseif head.l then
        local cause = several.too_much[head.c] and head.c or code
        several.blame(w, head.l, cause, text)
    elseif #names > 1 then
        local half = math.floor(#names / 2)
        several.put_first(w.left, several.parts_at(head, { 0, half, #names }))
        if code == '9004' then
            several.learn_count(c, names)
        end
    elseif several.is_partial(names[1]) then
        several.put_first(w.left, { { l = names[1], c = code } })
    else
        several.blame(w, names[1], code, text)
    end
end

-- what is right below a path: parameters, objects; or nil and why not
function several.children(path, json)
    local got = decode(json) or {}
    local names, objects, seen, others = {}, {}, {}, false
    if type(got.ParameterList) ~= 'table' or got.truncated then
        return nil, 'has more below it than is taken at once'
    end
    for _, row in ipairs(got.ParameterList) do
        local name = type(row) == 'table' and tostring(row.Name) or ''
        local child = string.match(string.sub(name, #path + 1), '^[^.]*%.?')
        if string.sub(name, 1, #path) ~= path then
            others = true
        elseif characters(path .. child) > 256 then
            return nil, 'has a name of more than 256 characters below it'
        elseif child ~= '' and not seen[child] then
            seen[child] = true
            local list = several.is_partial(child) and objects or names
            list[#list + 1] = path .. child
        end
    end
    if others and next(seen) == nil then
        return nil, 'is answered with what is not below it'
    end
    return names, objects
end

-- reads of what a path has: its parameters together, its objects in groups
function several.level_parts(l, names, objects)
    local parts = several.plan(l, names, { n = names })
    local size = math.max(1, math.ceil(#objects / BOUND.groups))
    for i = 0, #objects - 1, size do
        local group = several.slice(objects, i, math.min(i + size, #objects))
        for _, part in ipairs(several.plan(l, group, { n = group })) do
            parts[#parts + 1] = part
        end
    end
    return parts
end

-- rows of a GetParameterValuesResponse's JSON, how many, are they all of them?
function several.rows_of(json)
    local rows, count = string.match(json,
              '^{"ParameterList":%[(.*)%],"count":(%d+),"truncated":true}$')
    if rows then
        return rows, tonumber(count), false
    end
    rows = string.match(json, '^{"ParameterList":%[(.*)%]}$') or ''
    return rows, select(2, string.gsub(rows, '{"Name":"', '')), true
end

-- a part's rows join those before, as long as there is room
function several.keep_rows(c, run, json)
    local w = run.work
    local rows, count, whole = several.rows_of(json)
    local have = call('HGET', c.k[LIVE], '=r ' .. run.id) or ''
    w.count = (w.count or 0) + count
    if w.cut or #rows == 0 then
        -- no more are kept, or there are none
    elseif have ~= '' and #have + #rows >= BOUND.response then
        w.cut = true
    else
        call('HSET', c.k[LIVE], '=r ' .. run.id,
             have .. (have ~= '' and ',' or '') .. rows)
        w.cut = not whole or nil
    end
end

-- what failed: the CPE's fault, with the names that it is about
function several.read_fault(w, task)
    if w.fault and #w.bad == 1 and not w.unread and #task.ParameterNames == 1
       and w.bad[1][1] == task.ParameterNames[1]
    then
        return w.fault
    end
    local list = {}
    for _, b in ipairs(w.bad) do
        list[#list + 1] = '{"Name":' .. quote(b[1]) .. (tonumber(b[2])
                          and ',"FaultCode":' .. tonumber(b[2])
                          or ',"reason":' .. quote(b[2])) .. '}'
    end
    local fault = w.fault or reason_json(w.unread
                  and 'not all of it was read: it takes more than '
                      .. w.most .. ' RPCs, or more than ' .. BOUND.blamed
                      .. ' names of it fail' or 'not all of it can be read')
    return string.sub(fault, 1, -2) .. ',"ParameterNames":['
           .. table.concat(list, ',') .. ']'
           .. (w.unread and ',"unread":' .. w.unread or '') .. '}'
end

-- those paths of the task of which everything was read
function several.complete(w, task)
    local paths = {}
    for _, path in ipairs(task.ParameterNames) do
        local whole = several.is_partial(path) and not w.unread
        for _, b in ipairs(whole and w.bad or {}) do
            whole = whole and string.sub(b[1], 1, #path) ~= path
        end
        if whole then
            paths[#paths + 1] = path
        end
    end
    return paths
end

-- the part of a list that this phase is about, for C: "PHASE FROM TO MOST"
function several.phase_words(c, s, run)
    local w, reads = several.work_of(c, run), several.early[run.phase]
    local part = w and (reads and w.reads or run.phase ~= 'types' and w.left)
    part = part and part[1] or { 0, 0 }
    local l = reads and several.limits_of(c, s)
    local most = l and math.min(l.most, l.names) or BOUND.none
    if part[2] == 0 and most == BOUND.none
       or METHODS[run.method].reads
    then
        return run.phase
    end
    return string.format('%s %d %d %d', run.phase, part[1], part[2],
                         most < BOUND.none and most or 0)
end


-- --------------------------------------------------------- running, waiting

--[[
  running: id, method, rpc (the ID header of its envelope), attempts, sent,
  phase, instance, key (CommandKey or ParameterKey), before (what the device
  had when it was sent: its ParameterKey, or its SoftwareVersion if that is to
  change), gen, score; came: parameters of a long answer that are stored; full:
  1 when others are not, and the log was told; broke: why the last answer did
  not come to its end; early: the CPE has told how it ended, before it answered:
  status and JSON; parts: 1 when there is progress; strayed: the
  ID of another RPC with which a long answer came: it was not stored; takes: how
  many answers were ignored since they had such an ID; made: Status of the
  AddObject whose values are set; "held RPC": how often this one was held until
  replicas had it.

  phase of a task of more than one RPC, passed on to whoever writes the RPC:
    ''       the task's own RPC
    types    a read of what it will set, since nobody knows the types
    set      values of a new object (instance), after AddObject
    verify   a read of what an interrupted SetParameterValues was to set
    compare  that was read: send it, or find that it was done
    check    the same, when it may not be sent again
    confirm  a read of what was set, of a model whose Status 0 is no proof
    confirmed  that was read: was it set?
    names    a part of a read
    level    GetParameterNames of what is right below a path
]]
local RUN = { 'id', 'method', 'rpc', 'attempts', 'sent', 'phase', 'instance',
              'key', 'before', 'gen', 'score', 'came', 'full', 'broke',
              'early', 'parts', 'strayed', 'takes', 'made' }

function several.is_running(run)
    return METHODS[run.method] ~= nil and tonumber(run.attempts) ~= nil
           and tonumber(run.sent) ~= nil and tonumber(run.score) ~= nil
           and run.rpc and run.phase and run.instance and run.key and run.before
           and string.find(run.gen or '-', '^%d*$') ~= nil
end

-- The RPC outstanding; a damaged entry ends here, before anything relies on it.
local function load_running(c)
    local run = hash_fields(c.k[RUNNING], RUN)
    if not run.id or several.is_running(run) then
        return run.id and run or nil
    end
    check_keys(c)
    finish(c, run.id, 'lost', { sent = tonumber(run.sent), fault = reason_json(
           'its entry in running was damaged') })
    call('DEL', c.k[RUNNING])
    not_due(c, 's')
end

-- does it, when it succeeds, change the SoftwareVersion?
local function is_firmware(task)
    local m = METHODS[task.method]
    return m.event == 'TransferComplete' and task.method ~= 'Upload'
           and type(task.FileType) == 'string'
           and string.find(task.FileType, '^%s*1%f[%D]') ~= nil
end

-- names whose type only the device can tell: those without a type of their own
local function untyped(list)
    local names = {}
    for name, v in pairs(list) do
        if type(v) ~= 'table' or (v.type or cjson.null) == cjson.null then
            names[#names + 1] = tostring(name)
        end
    end
    return names
end

-- flat: name, type letter and (for compare) value as last read
local function known_types(c, names, prefix)
    local out, gone_before = {}, gone_by(load_marks(c.k[PARAMS]))
    local paths = {}
    for i, name in ipairs(names) do
        paths[i] = prefix .. name
    end
    local generations, values = stored(c.k[PARAMS], paths)
    for i, path in ipairs(paths) do
        if generations[i] and generations[i] >= gone_before(path) then
            out[#out + 1] = names[i]
            out[#out + 1] = string.sub(values[i], 1, 1)
            out[#out + 1] = string.sub(values[i], 2)
        end
    end
    return out
end

-- what a task sets, and below which path
local function to_set(run, task)
    local list = METHODS[run.method].list
    if not list or type(task[list]) ~= 'table' then
        return nil
    end
    if list == 'values' then
        -- an object that was added by an alias, "T.[a].", is T.17. as well
        local table_of = string.gsub(tostring(task.ObjectName or ''),
                                     '%[[^%[%]]*%]%.$', '')
        return task[list], table_of .. (run.instance or '') .. '.'
    end
    return task[list], ''
end

--[[
  rpc, notes, RPC's ID, phase and part, instance, key, task's id, JSON, how it
  is spoken to (namespace, version, 1 when it says that it can do it, style),
  name, type letter, value, name, type letter, value, ... (names and level: the
  names that are asked for)
]]
local function rpc_reply(c, s, run, task, json)
    local can = ',' .. (call('HGET', c.k[DEVICE], 'methods') or '') .. ','
    local listed = string.find(can, ',' .. run.method .. ',', 1, true)
    local reply = { 'rpc', c.notes, run.rpc, several.phase_words(c, s, run),
                    run.instance or '', run.key, run.id, json, s.v
                    .. (listed and ' 1' or ' 0') .. ' ' .. (s.y or '') }
    local asks = run.phase == 'names' or run.phase == 'level'
    if asks then
        for _, name in ipairs(several.names_of(run.work.left[1], task)) do
            reply[#reply + 1] = name
            reply[#reply + 1] = ''
            reply[#reply + 1] = ''
        end
    end
    if METHODS[run.method].wild and string.find(json, '*', 1, true) then
        local root = call('HGET', c.k[DEVICE], 'root') or 'Device'
        for _, v in ipairs(known_types(c, {
                root .. '.ManagementServer.InstanceWildcardsSupported' }, ''))
        do
            reply[#reply + 1] = v
        end
    end
    if asks then
        return reply
    end
    local list, prefix = to_set(run, task)
    if list and (run.method == 'SetParameterValues' or run.phase == 'set'
                 or run.instance ~= '')
    then
        local names = {}
        if run.phase == 'compare' or run.phase == 'check'
           or run.phase == 'confirmed'
        then
            for name in pairs(list) do
                names[#names + 1] = tostring(name)
            end
        else
            names = untyped(list)
        end
        for _, v in ipairs(known_types(c, names, prefix)) do
            reply[#reply + 1] = v
        end
    end
    return reply
end

-- does the task wait for a read of types first?
local function lacks_types(c, run, task)
    local list, prefix = to_set(run, task)
    if not list then
        return false
    end
    local names = untyped(list)
    return #known_types(c, names, prefix) < 3 * #names
end

-- Sends the RPC of this phase; running is written before the reply leaves.
-- typed: the types were just read, what is missing now will stay missing.
local function send(c, s, run, task, json, typed)
    local m = METHODS[run.method]
    if not typed and m.list
       and (run.phase == 'set' or run.phase == '' and run.method ~= 'AddObject')
       and lacks_types(c, run, task)
    then
        run.phase = 'types'
    end
    s.c = (tonumber(s.c) or 0) + 1
    run.sent, run.came, run.full, run.broke, run.early = c.now, '0', '', '', ''
    run.strayed, run.takes = '', ''
    run.rpc = string.format('%x.%d', c.second .. c.us, s.c)
    if m.reads or m.lost == 'verify' then
        run.gen = call('HINCRBY', c.k[DEVICE], 'gen', 1)
    end
    local flat = {}
    for _, name in ipairs(RUN) do
        flat[#flat + 1] = name
        flat[#flat + 1] = run[name] or ''
    end
    call('HSET', c.k[RUNNING], unpack(flat))
    if run.queued then
        call('ZREM', c.k[QUEUE], run.id)
        run.queued = nil
    end
    due(c, 's', nil, c.now + s.outstanding, 'NX')
    s.s, s.a = ACS, 'rpc'
    return rpc_reply(c, s, run, task, json)
end

local function close(c, s)
    s.s, s.a = CLOSING, 'end'
    if s.c ~= '0' then
        not_due(c, 's')
    end
    return { 'end', c.notes }
end

-- was the device reset (0 BOOTSTRAP) after the task was sent?
function several.reset_since(c, id)
    local reset = tonumber(call('HGET', c.k[DEVICE], 'bootstrap') or 0) * 1000
    return reset > tonumber(call('HGET', c.k[LIVE], '=s ' .. id) or c.now)
end

-- What an interrupted task set is read back; but not for ever, and not after
-- the CPE has forgotten it: why not, or nil.
local function not_to_verify(c, id, phase)
    if call('HINCRBY', c.k[LIVE], '=v ' .. id, 1) > VERIFIES then
        return (phase == 'verify' and 'sent, but the session ended before the '
                .. 'answer' or 'set, the device says') .. '; reading back '
               .. 'failed ' .. VERIFIES .. ' times'
    end
    return several.reset_since(c, id) and FORGOTTEN or nil
end

-- What is sent as ParameterKey; a part but the last has one of its own, so that
-- each of them can be told from the others.
function several.own_key(run, task)
    local key = parameter_key(run.id, task, run.phase)
    local w = run.work
    if run.method ~= 'SetParameterValues' or not w or #(w.left or {}) < 2 then
        return key
    end
    local suffix = '+' .. w.left[1][1]
    if #key + #suffix > 32 then
        key = string.sub(redis.sha1hex(key), 1, 32 - #suffix)
    end
    return key .. suffix
end

-- The progress that a task has, or begins with; false, and why, when it cannot
-- go on.  What was read before a reset is read again.
function several.resume(c, s, run, task)
    local reads = METHODS[run.method].reads
    local w = several.work_of(c, run)
    if run.parts == '1' and not w then
        return false, 'its progress in live was damaged'
    end
    if w and several.reset_since(c, run.id) then
        if (w.applied or 0) > 0 then
            return false, FORGOTTEN
        end
        call('HDEL', c.k[LIVE], '=l ' .. run.id, '=r ' .. run.id)
        run.work, run.parts, w = nil, '', nil
    end
    if reads and not w then
        several.plan_read(c, s, run, task)
    end
    if reads and run.work then
        run.phase = several.read_phase(run)
    end
    return true
end

-- RPCs at most (0: the node defers work), bytes of the POST ('' from older nodes), values repaired in it
several.counts_of = remembered('^(%d+) ?(%d*) ?(%d*)')

-- how many values of an Inform are not quite what was sent, for an event
function several.repaired(n)
    if n ~= '' then
        return 'repaired', n
    end
end

-- Is the session longer, or has it brought more, than any may?  Why, or nil.
function several.too_much_of(c, s)
    if c.now - (tonumber(s.o) or c.now) >= SESSION_MS then
        return 'the session lasts longer than ' .. SESSION_MS / 3600000
               .. ' hours'
    elseif tonumber(s.b) > SESSION_BYTES then
        return 'the session brings more than ' .. SESSION_BYTES / 1048576
               .. ' MB'
    end
end

-- May this session have one more RPC?  If not, why, for people; '' when that is
-- as it should be.
function several.may_send(c, s)
    if s.last or s.l == '1' or s.most == '0' then
        return false, ''
    elseif tonumber(s.c) >= tonumber(s.most) then
        return false, 'more tasks than cwmp_max_rpcs'
    end
    local why = several.too_much_of(c, s)
    return not why, why
end

local next_task

-- the next task of the queue, or the end of the session
function next_task(c, s)
    if (c.free and call('EXISTS', c.k[TASKS])
        or call('EXISTS', c.k[TASKS], c.k[LIVE])) == 0
    then
        return close(c, s)
    end
    local may, why = several.may_send(c, s)
    if not may then
        -- those that wait for an event are not meant
        if why ~= '' and call('EXISTS', c.k[TASKS], c.k[QUEUE]) > 0 then
            note(c, why .. ': the rest waits for the next session')
        end
        return close(c, s)
    end
    check_keys(c)
    local id, score, task, json
    for _ = 1, INTAKES do           -- all of the first ones may be bad
        local more = intake(c, INTAKE)
        id, score, task, json = pick(c)
        if id or not more then
            break
        end
    end
    if not id then
        return close(c, s)
    end
    local kept = call('HMGET', c.k[LIVE], '=p ' .. id, '=l ' .. id)
    if kept[2] and not c.k[LEARNED] then
        note(c, 'task ' .. id .. ' goes on at a node of a newer version')
        return close(c, s)
    end
    local phase = kept[1] or ''
    local why = phase ~= 'types' and several.early[phase]
                and not_to_verify(c, id, phase)
    if why then
        finish(c, id, 'lost', { fault = reason_json(why) })
        return next_task(c, s)
    end
    local run = { id = id, method = task.method, phase = phase, instance = '',
                  key = command_key(id, task), before = '', score = score,
                  parts = kept[2] and '1' or '', queued = true,
                  attempts = call('HINCRBY', c.k[LIVE], '=a ' .. id,
                                  phase == '' and 1 or 0) }
    local good, wrong = several.resume(c, s, run, task)
    if not good then
        finish(c, id, 'lost', { fault = reason_json(wrong) })
        return next_task(c, s)
    end
    if METHODS[task.method].lost == 'verify' then
        run.key = several.own_key(run, task)
        run.before = call('HGET', c.k[DEVICE], 'parameterkey') or ''
    elseif is_firmware(task) then
        run.before = call('HGET', c.k[DEVICE], 'version') or ''
    end
    return send(c, s, run, task, json)
end

-- what is there all the same when the values of a new object failed
local function half_made(run)
    return run.instance ~= '' and '{"InstanceNumber":' .. run.instance .. '}'
           or nil
end

-- was nothing of the task sent but a read of the types of what it sets?
local function only_types(c, run)
    return run.phase == 'types' and run.instance == ''
           and ((several.work_of(c, run) or {}).applied or 0) == 0
end

-- The result of what the CPE told of too early; whatever it answers.
local function end_early(c, run)
    local status, json = string.match(run.early or '', '^(%a+) (.*)$')
    if status then
        finish(c, run.id, status, { sent = tonumber(run.sent),
               [status == 'fault' and 'fault' or 'response'] = json })
    end
    return status
end

-- Sent too often, or not answered: what its result is.  While the types of
-- what it sets are read nothing of the task itself was sent.
local function give_up(c, run, reason)
    if end_early(c, run) then
        return
    end
    local unsent = only_types(c, run)
    finish(c, run.id, unsent and 'rejected' or 'lost', {
           unsent = unsent, sent = not unsent and tonumber(run.sent) or nil,
           response = half_made(run),
           fault = reason_json(unsent and 'the read of the types of what it '
                               .. 'sets was not answered: ' .. reason
                               or reason) })
    note(c, 'task ' .. run.id .. ' (' .. run.method .. ') is given up: '
            .. reason)
end

-- what there is of an answer that did not come to its end
local function part_of_it(run)
    local came, broke = tonumber(run.came) or 0, run.broke or ''
    if came == 0 and broke == '' then
        return ''
    end
    return '; its last answer broke off' .. (broke == '' and '' or ' ('
           .. broke .. ')') .. ', ' .. came .. ' parameters of it are stored'
end

-- to its old place in the queue
function several.put_back(c, run, task)
    call('ZADD', c.k[QUEUE], run.score, run.id)
    if task.expires then
        due(c, 'x', run.id, task.expires * 1000)
    end
end

-- the same for what was sent; unknown: what it did
function several.requeue(c, run, task, phase, unknown)
    several.put_back(c, run, task)
    call('HSET', c.k[LIVE], '=p ' .. run.id, phase, '=u ' .. run.id,
         unknown and '1' or '0')
    if not only_types(c, run) then
        call('HSET', c.k[LIVE], '=s ' .. run.id, run.sent)
    end
end

-- A read without an answer: a path may be too much for the CPE.  Types are read
-- from the start: what came is known.
function several.after_loss(c, run, task)
    local w = several.work_of(c, run)
    if w and w.reads and run.phase == 'types' then
        w.reads = nil
        several.save_work(c, run)
    end
    local names = METHODS[run.method].reads and c.k[LEARNED]
                  and run.phase ~= 'level' and several.names_to_read(task)
    if names and w then
        names = several.names_of(w.left[1], task)
    end
    if names and several.has_partial(names) then
        if not w then
            -- what came of the lost answer is older than this read
            several.new_read(run, { { 0, #names } }, run.gen + 1)
        end
        several.ask_less(c, run, task, 'lost')
        several.save_work(c, run)
    end
end

-- the same, when it may be sent again
local function send_again(c, run, task, phase, disproved)
    if not phase and tonumber(run.attempts) >= (task.attempts or 3) then
        return give_up(c, run, 'sent ' .. run.attempts .. ' times without an '
                               .. 'answer' .. part_of_it(run))
    end
    several.after_loss(c, run, task)
    -- disproved: what was sent is known to have had no effect
    several.requeue(c, run, task, phase or '',
            not disproved and run.phase ~= 'types')
    note(c, 'task ' .. run.id .. ' (' .. run.method .. ') will be sent again')
end

-- an unsignedInt of a task that nobody may have checked yet
local function seconds_in(v)
    local n = tonumber(v)
    return n and n >= 0 and n <= 4294967295 and n or 0
end

-- in how many seconds the CPE is to begin, or must have ended
local function delay_of(task)
    local delay = seconds_in(task.DelaySeconds)
    if type(task.TimeWindowList) == 'table' then
        for _, window in pairs(task.TimeWindowList) do
            if type(window) == 'table' then
                delay = math.max(delay, seconds_in(window.WindowEnd))
            end
        end
    end
    return delay
end

local function await(c, run, task, answered)
    local m = METHODS[run.method]
    local delay = delay_of(task)
    local deadline = c.now + ((m.wait or 86400) + delay) * 1000
    call('HSET', c.k[WAITING], run.id, cjson.encode({
         id = run.id, method = run.method, key = run.key, before = run.before,
         sent = run.sent, attempts = run.attempts, score = run.score,
         phase = run.phase, instance = run.instance, answered = answered,
         deadline = deadline }))
    due(c, 'w', run.id, deadline)
end

local function no_longer_waits(c, w)
    call('HDEL', c.k[WAITING], w.id)
    not_due(c, 'w', w.id)
end

local function awaited(c, w, status, more)
    more = more or {}
    more.sent = tonumber(w.sent)
    no_longer_waits(c, w)
    finish(c, w.id, status, more)
end

-- The session is over, or the RPC's answer cannot come any more: what now?
local function lose(c, why)
    check_keys(c)
    local run = load_running(c)
    local task = run and several.outstanding(c, run)
    if not task then
        return
    end
    call('DEL', c.k[RUNNING])
    not_due(c, 's')
    why = why .. part_of_it(run)
    event(c, 'session', 'state', 'lost', 'task', run.id, 'reason', why)
    note(c, 'session ended with an RPC outstanding (' .. why .. '): task '
            .. run.id)
    if METHODS[run.method].lost ~= 'again' and not several.early[run.phase] then
        return end_early(c, run) or await(c, run, task, false)
    end
    -- what only reads is repeated; a half-made object is not made twice
    if run.instance ~= '' then
        return give_up(c, run, 'the object was added as instance '
                       .. run.instance .. ', its values may be missing')
    end
    send_again(c, run, task, run.phase ~= 'types' and several.early[run.phase]
                             and run.phase or nil)
end


-- ------------------------------------------------- what waits, and for what

--[[
  Settles a task whose answer never came and that ParameterKey can speak for
  (TR-069 A6 3.3.2: the device's ParameterKey becomes the argument of the last
  successful SetParameterValues, AddObject or DeleteObject).
]]
local function verify(c, w, task, reported, keeps)
    local made = w.instance ~= '' and w.instance or nil
    if reported == w.key and w.before ~= w.key then
        if w.method == 'AddObject' and not made then
            return awaited(c, w, 'lost', { fault = reason_json(
                   'the object was added (ParameterKey says so), but the '
                   .. 'answer with its instance number was lost') })
        end
        local work = several.load_work(c, w.id, w.method)
        if work and work.applied then
            w.work = work
            local response = several.part_applied(c, w, nil, 'ParameterKey')
            if response then
                return awaited(c, w, 'done', { response = response })
            end
            no_longer_waits(c, w)
            return several.requeue(c, w, task, '')
        end
        return awaited(c, w, 'done', { response = '{' .. (made
               and '"InstanceNumber":' .. made .. ',' or '')
               .. '"verified":"ParameterKey"}' })
    end
    if made then
        return awaited(c, w, 'lost', { response = half_made(w),
               fault = reason_json('the object was added as instance ' .. made
                                   .. ', its values may be missing') })
    end
    local disproved = reported and reported ~= w.key and keeps
    if disproved or task.retry or w.method == 'SetParameterValues' then
        no_longer_waits(c, w)
        return send_again(c, w, task, not disproved and not task.retry
                                      and 'verify' or nil, disproved)
    end
    awaited(c, w, 'lost', { fault = reason_json('sent, but the session ended '
            .. 'before the answer, and ParameterKey cannot tell whether it '
            .. 'was done') })
end

-- does this Inform bring the event that the task waits for?
local function has_event(w, m, f)
    for i = 1, #f.list, 2 do
        if f.list[i] == m.event and trimmed(f.list[i + 1]) == trimmed(w.key)
        then
            return f.list[i]
        end
    end
    if m.event == 'M Reboot' and w.answered then
        -- a CPE that has booted, but forgot the CommandKey
        return f.codes['1']
    end
    return m.event == '0' and f.codes['0'] or nil
end

-- What waits when the CPE was reset; unless this Inform tells more of it.
local function forgotten(c, w, task, m, f)
    if f.codes[ANNOUNCED[m.event]] then
        return
    end
    if m.lost == 'verify' and f.reported == w.key and w.before ~= w.key then
        return verify(c, w, task, f.reported, f.keeps)
    end
    if task.retry and not w.answered then
        no_longer_waits(c, w)
        return send_again(c, w, task)
    end
    awaited(c, w, 'lost', { fault = reason_json(FORGOTTEN) })
end

-- An entry of waiting and its task; a damaged one ends here.
local function load_waiting(c, id, entry)
    local w, task = decode(entry), load_task(c, id)
    if w and task and w.id == id and METHODS[w.method]
       and type(w.key) == 'string' and type(w.before) == 'string'
       and type(w.instance) == 'string' and tonumber(w.sent)
       and tonumber(w.attempts) and tonumber(w.score)
       and type(w.deadline) == 'number'
    then
        return w, task, METHODS[w.method]
    end
    no_longer_waits(c, { id = id })
    finish(c, id, 'lost', { fault = reason_json(
           'its entry in waiting was damaged') })
end

local function inform_waiting(c, f)
    local all = call('HGETALL', c.k[WAITING])
    f.keeps = all[1] and call('HGET', c.k[DEVICE], 'keeps')
    for i = 1, #all, 2 do
        local w, task, m = load_waiting(c, all[i], all[i + 1])
        local code = w and has_event(w, m, f)
        if not w then
            -- it ended
        elseif code then
            awaited(c, w, 'done',
                    { response = '{"event":' .. quote(code) .. '}' })
        elseif f.resets then
            forgotten(c, w, task, m, f)
        elseif m.lost == 'verify' then
            verify(c, w, task, f.reported, f.keeps)
        elseif task.retry and not w.answered
               and not f.codes[ANNOUNCED[m.event]]
        then
            no_longer_waits(c, w)
            send_again(c, w, task)
        end
    end
end

-- Tasks that wait for this RPC of the CPE with this CommandKey, but for blanks
-- around it, or with any; what was sent first comes first.
local ANY = {}

local function waiting_for(c, name, key)
    local all, exact, near = call('HGETALL', c.k[WAITING]), {}, {}
    local bare = key ~= ANY and trimmed(key)
    for i = 1, #all, 2 do
        local w, _, m = load_waiting(c, all[i], all[i + 1])
        if w and m.event == name then
            if key == ANY or w.key == key then
                exact[#exact + 1] = w
            elseif trimmed(w.key) == bare then
                near[#near + 1] = w
            end
        end
    end
    local found = exact[1] and exact or near
    table.sort(found, function(a, b)
        local first, second = tonumber(a.sent) or 0, tonumber(b.sent) or 0
        if first == second then     -- in one millisecond: in order
            first, second = tonumber(a.score) or 0, tonumber(b.score) or 0
        end
        return first < second
    end)
    return found
end

-- After a reset, and with the quirk transferComplete, a firmware's installation
-- shows by another SoftwareVersion only.  It is that of the first that waits.
local function installed(c, f)
    local version, first = f.version, nil
    local alone = f.resets and not f.codes[ANNOUNCED.TransferComplete]
    if version == '' or not alone and quirk(c, 'transferComplete') ~= false then
        return
    end
    for _, w in ipairs(waiting_for(c, 'TransferComplete', ANY)) do
        if (w.before or '') == '' or w.before == version then
            -- no firmware, or nothing is known, or nothing has changed
        elseif not first then
            first = w
            awaited(c, w, 'done',
                    { response = '{"verified":"SoftwareVersion"}' })
        else
            w.before = version
            call('HSET', c.k[WAITING], w.id, cjson.encode(w))
        end
    end
end

-- The quirk commandKey: the CPE gives another one than it was told.  It is
-- taken for that of what it accepted last.
local function accepted_last(c, name, key)
    if quirk(c, 'commandKey') ~= false then
        return nil
    end
    local last
    for _, w in ipairs(waiting_for(c, name, ANY)) do
        last = w.answered and w or last
    end
    if last then
        note(c, name .. ' with CommandKey ' .. shown(key, 64) .. ' is taken '
                .. 'for that of task ' .. last.id .. ': quirk commandKey')
    end
    return last
end

-- Is the RPC that this speaks of outstanding still?  It ends with its answer.
-- What is told again is not early: it is known.
local function is_early(c, name, key, code, json)
    local run = load_running(c)
    if not run or METHODS[run.method].event ~= name
       or trimmed(run.key) ~= trimmed(key)
    then
        return false
    end
    local early = (code == '0' and 'done ' or 'fault ') .. json
    if run.early == early then
        return nil
    end
    call('HSET', c.k[RUNNING], 'early', early)
    note(c, name .. ' before the ' .. run.method .. 'Response: task '
            .. run.id .. ' ends with that')
    return true
end

-- Was this of no living task told before?  The device has the last few: a CPE
-- tells it again until it knows that it was heard.
function several.is_told(c, name, key, json)
    local mark = string.sub(redis.sha1hex(name .. '\t' .. key .. '\t' .. json),
                            1, 16)
    local told = call('HGET', c.k[DEVICE], 'told') or ''
    if string.find(told, mark, 1, true) then
        return true
    end
    call('HSET', c.k[DEVICE], 'told',
         string.sub(mark .. ' ' .. told, 1, 17 * TOLD_LAST))
    return false
end

-- What the ACS asked for is over: CommandKey, FaultCode, JSON of the whole.  It
-- is told, by tell(), once.
local function completed(c, name, key, code, json, tell)
    local w = waiting_for(c, name, key)[1]
    local early = nil
    if not w then
        early = is_early(c, name, key, code, json)
        w = early == false and accepted_last(c, name, key)
    end
    local known = several.is_told(c, name, key, json)
    if w or early or not known then
        tell()
    end
    if w then
        awaited(c, w, code == '0' and 'done' or 'fault',
                { [code == '0' and 'response' or 'fault'] = json })
    elseif early == false then
        note(c, name .. (known and ' told again' or ' for no task that waits')
                .. ', CommandKey ' .. quote(key))
    end
end

-- the CPE tells no more of a transfer that it has cancelled
local function cancelled(c, name, key)
    for _, w in ipairs(waiting_for(c, name, key)) do
        awaited(c, w, 'cancelled', { answered = true, fault = reason_json(
                'the CPE has cancelled the transfer: CancelTransfer') })
    end
end

-- what others may want to read: bounded, since a CPE says it
local function told(json)
    return #json <= TOLD_MAX and json or '{"truncated":true}'
end

--[[
  Requests of CPEs that mean more than their response: what they bring to
  events, and which tasks they end.  CommandKey, FaultCode (of several results
  the first that is not 0), JSON of the whole.
]]
local REQUESTS = {
    TransferComplete = function(c, key, code, json)
        completed(c, 'TransferComplete', key, code, json, function()
            event(c, 'transfer', 'commandkey', key, 'fault', code)
        end)
    end,
    DUStateChangeComplete = function(c, key, code, json)
        completed(c, 'DUStateChangeComplete', key, code, json, function()
            event(c, 'dustate', 'commandkey', key, 'fault', code, 'request',
                  told(json))
        end)
    end,
    AutonomousTransferComplete = function(c, _, code, json)
        event(c, 'autonomous transfer', 'fault', code, 'request', told(json))
    end,
    AutonomousDUStateChangeComplete = function(c, _, code, json)
        event(c, 'autonomous dustate', 'fault', code, 'request', told(json))
    end,
    RequestDownload = function(c, _, _, json)
        event(c, 'request download', 'request', told(json))
    end,
    Kicked = function(c, _, _, json)
        event(c, 'kicked', 'request', told(json))
    end,
}


-- ------------------------------------------------------------- the session

--[[
  session: t token, n nonce of the last call, d digest of the last POST, o when
  it was opened, b bytes of its POSTs, q quirks, y style of what is written (both
  only when there are any), g the RPCs that were given up, f 1 while no task
  lives, as free of the device is: to look for a key that is not there is dear
  among many devices; and in p, since
  each field costs: s state, r 1 when the last POST was answered twice, m 1 when
  it answered an RPC by its ID, a the verb it got, e empty POSTs in a row while
  an RPC is outstanding, c RPCs sent, l 1 when no more RPCs may be sent, to
  time-out, v namespace and version of CWMP.
]]
several.unpacked = remembered('^(%d) (%d) (%d) (%a+) (%d+) (%d+) (%d) (%d+) '
                              .. '(.*)$')
local FRESH = CPE .. ' 0 0 inform 0 0 '     -- how p begins, up to l

local function load_session(c)
    local got = call('HMGET', c.k[SESSION], 't', 'p', 'n', 'd', 'o', 'b', 'q',
                     'y', 'f')
    if not got[2] then
        return nil
    end
    c.free = got[9] == '1'
    local p = several.unpacked(got[2])
    return p[1] and { t = got[1], n = got[3] or '', d = got[4] or '',
                      o = got[5] or nil, b = got[6] or '0',
                      q = got[7] or nil, y = got[8] or nil, s = p[1], r = p[2],
                      m = p[3], a = p[4], e = p[5], c = p[6], l = p[7],
                      to = p[8], v = p[9], idle = p[8], outstanding = '0',
                      most = '0' }
end

local function pack(s)
    return s.s .. ' ' .. s.r .. ' ' .. s.m .. ' ' .. s.a .. ' ' .. s.e .. ' '
           .. s.c .. ' ' .. s.l .. ' ' .. s.to .. ' ' .. s.v
end

-- Without a nonce when nothing but p has changed; a session without an RPC lasts
-- no longer for that.
local function save(c, s, nonce, digest)
    if nonce then
        call('HSET', c.k[SESSION], 'p', pack(s), 'n', nonce, 'd', digest,
             'b', s.b)
    else
        call('HSET', c.k[SESSION], 'p', pack(s))
        if s.c == '0' then
            return
        end
    end
    local lease = s.idle
    if s.s == ACS and tonumber(s.outstanding) > tonumber(lease) then
        lease = s.outstanding
    end
    call('PEXPIRE', c.k[SESSION], lease)
end

-- the RPC outstanding, with the same ID
local function same_rpc(c, s)
    local run = load_running(c)
    local task, json
    if run then
        task, json = several.outstanding(c, run)
    end
    if task then
        return rpc_reply(c, s, run, task, json)
    end
    return next_task(c, s)
end

local function replay(c, s)
    if s.a == 'rpc' then
        return same_rpc(c, s)
    end
    return { s.a, c.notes, s.y or '' }
end

--[[
  Which data model the parameters of an Inform tell: "Device:2.11" by its
  RootDataModelVersion, "InternetGatewayDevice:1.4" or "Device:1.0" by the
  DeviceSummary, which Device:2 has not.  One that leaves these out is told by
  its root as far as that goes.  args from first: name, letter and value, ...
]]
local function data_model(root, args, first)
    local gateway = root == 'InternetGatewayDevice'
    local found = gateway and 'InternetGatewayDevice:1' or nil
    for i = first, #args - 1, 2 do
        local version
        if args[i] == root .. '.RootDataModelVersion' and not gateway then
            version = string.match(args[i + 1], '^.%s*(2%.?%d*)') or '2'
        elseif args[i] == root .. '.DeviceSummary' then
            version = string.match(args[i + 1], '^.%s*%a+:(1%.?%d*)') or '1'
        end
        if version then
            return (gateway and 'InternetGatewayDevice:' or 'Device:')
                   .. string.sub(version, 1, 8)
        end
    end
    return found
end

-- what only an Inform needs: Lua has 200 local variables in a block
local inform

do

local DEV = { 'first', 'manufacturer', 'oui', 'class', 'serial', 'root',
              'version', 'hardware', 'url', 'address', 'parameterkey', 'ns',
              'cwmp', 'informed', 'gen', 'keeps', 'lastkey', 'events',
              'retries', 'methods', 'quirks', 'quirksof', 'badurl' }

-- what a reset makes untrue; :params as well
local RESET = { 'parameterkey', 'keeps', 'lastkey', 'methods', 'url', 'badurl',
                'informed', 'sweep', 'bytes', 'full', 'packed' }

local function index(c, key, old, new)
    if old then
        call('ZREM', c.k[key], string.gsub(old, '%c', '?') .. '\t' .. c.id)
    end
    call('ZADD', c.k[key], 0, string.gsub(new, '%c', '?') .. '\t' .. c.id)
end

--[[
  Does BOOTSTRAP stand here for a second time only?  A CPE lists it until it
  knows that it was delivered, some until a whole session went well.  It then
  says that it tries again; a ParameterKey that is gone, or a FactoryReset that
  was sent, speaks for another reset.
]]
local function is_repeated(c, f, d)
    local events = ',' .. (d.events or '') .. ','
    if f.retries == '0' or not string.find(events, ',0 BOOTSTRAP,', 1, true)
       or f.reported == '' and (d.parameterkey or '') ~= ''
       or call('HGET', c.k[RUNNING], 'method') == 'FactoryReset'
    then
        return false
    end
    for _, entry in ipairs(call('HVALS', c.k[WAITING])) do
        if string.find(entry, '"method":"FactoryReset"', 1, true) then
            return false
        end
    end
    return true
end

-- the device begins anew; its tasks: inform_waiting
local function reset(c, d)
    call('UNLINK', c.k[PARAMS])
    call('HDEL', c.k[DEVICE], unpack(RESET))
    for _, name in ipairs(RESET) do
        d[name] = nil
    end
    call('HSET', c.k[DEVICE], 'bootstrap', seconds(c.now))
end

-- no address of a CPE: this host, a network's own, or no single host
local function wrong_ip(a, b, c, d)
    for _, n in ipairs({ a, b, c, d }) do
        if n > 255 then
            return 'its host is no address'
        end
    end
    if a == 127 or a == 0 then
        return 'a loopback address'
    elseif a == 169 and b == 254 then
        return 'a link-local address'
    elseif a >= 224 then
        return 'the address of no single host'
    end
end

-- eight numbers of an IPv6 address, or nil
local function groups_of(text)
    local function list(part)
        local t = {}
        for group in string.gmatch(part, '[^:]+') do
            local n = #group <= 4 and tonumber(group, 16)
            if not n then
                return nil
            end
            t[#t + 1] = n
        end
        return t
    end
    -- its last two may be written as those of IPv4
    text = string.gsub(text, '(%d+)%.(%d+)%.(%d+)%.(%d+)$', function(a, b, c, d)
        return string.format('%x:%x', a * 256 + b, c * 256 + d)
    end)
    local head, tail = string.match(text, '^(.-)::(.*)$')
    local first, last = list(head or text), list(tail or '')
    if not first or not last or string.find(text, '::.*::')
       or string.find(text, ':::', 1, true) or string.find(text, '^:[^:]')
       or string.find(text, '[^:]:$')
       or #first + #last > (head and 7 or 8) or not head and #first ~= 8
    then
        return nil
    end
    while #first + #last < 8 do
        first[#first + 1] = 0
    end
    for _, n in ipairs(last) do
        first[#first + 1] = n
    end
    return first
end

local function wrong_ip6(text)
    local g = groups_of(text)
    if not g then
        return 'its host is no address'
    end
    local zeros = 0
    while zeros < 8 and g[zeros + 1] == 0 do
        zeros = zeros + 1
    end
    if zeros == 8 or zeros == 7 and g[8] == 1 then
        return 'a loopback address'
    elseif zeros >= 6 or zeros == 5 and g[6] == 65535 then      -- IPv4 in it
        return wrong_ip(math.floor(g[7] / 256), g[7] % 256,
                        math.floor(g[8] / 256), g[8] % 256)
    elseif g[1] >= 0xfe80 and g[1] <= 0xfebf then
        return 'a link-local address'
    elseif g[1] >= 0xff00 then
        return 'the address of no single host'
    end
end

local function wrong_host(host)
    local six = string.match(host, '^%[([%x:.]+)%]$')
    if six then
        return wrong_ip6(six)
    end
    host = string.lower((string.gsub(host, '%.$', '')))
    if host == '' then
        return 'no host'
    elseif #host > 253 or not string.find(host, '^[%w._-]+$')
           or string.find(host, '..', 1, true) or string.find(host, '^%.')
    then
        return 'its host is no name'
    elseif host == 'localhost' or string.find(host, '%.localhost$') then
        return 'a loopback address'
    end
    -- what ends with a number is an address, which has more forms than one
    if not string.find(host, '%f[^.%z]%d+$') and not string.find(host,
                       '%f[^.%z]0x%x*$')
    then
        return nil
    end
    local a, b, c, d = string.match(host, '^(%d+)%.(%d+)%.(%d+)%.(%d+)$')
    if not a or string.find('.' .. host, '%.0%d') then
        return 'its host is no address'
    end
    return wrong_ip(tonumber(a), tonumber(b), tonumber(c), tonumber(d))
end

-- why a ConnectionRequestURL is none that the ACS may go to; nil: it is one
local function wrong_url(url)
    if string.find(url, '[%c%s\127]') then
        return 'blanks or control characters in it'
    elseif string.find(url, '(null)', 1, true) then
        return 'no host'
    end
    local scheme, rest = string.match(url, '^(%a[%w+.-]*)://([^/?#]*)')
    scheme = scheme and string.lower(scheme)
    if scheme ~= 'http' and scheme ~= 'https' then
        return 'neither http nor https'
    elseif string.find(rest, '[@\\]') then
        return 'more than a host and a port'
    end
    local host, port = string.match(rest, '^(.-):(%d*)$')
    if port and port ~= '' and not (#port <= 5 and tonumber(port) >= 1
                                    and tonumber(port) <= 65535)
    then
        return 'port ' .. string.sub(port, 1, 8)
    end
    return wrong_host(host or rest)
end

-- A new ConnectionRequestURL: one that cannot be used takes away what was known,
-- and is noted once.
local function new_url(c, d, url, set)
    local why = wrong_url(url)
    if not why then
        set[#set + 1] = 'url'
        set[#set + 1] = url
    else
        note(c, 'ConnectionRequestURL ' .. shown(url, 200)
                .. ' cannot be used: ' .. why)
        set[#set + 1] = 'badurl'
        set[#set + 1] = url
    end
    if d.url and why then
        call('HDEL', c.k[DEVICE], 'url')
    elseif d.badurl and not why then
        call('HDEL', c.k[DEVICE], 'badurl')
    end
end

--[[
  What was told of the device itself, and the quirks that there are: when that is
  as it was then all that was made of it is, too.  Without version and root it is
  never the same, since those that were told before count then.  Where there are
  quirks a + follows it.
]]
local QUIRKY = '+'

local function digest_of(c, f, args)
    local is = f.is
    if not is then
        is = args[15] ~= '' and args[16] ~= ''
             and redis.sha1hex(table.concat(args, '\n', 9, 20) .. args[22]) or ''
    end
    return is ~= '' and is .. ' ' .. RULES .. generation_of(c)
end

-- proof that this device keeps the ParameterKey that it was given
local function keeps(d, f, set)
    if d.lastkey and d.lastkey == f.parameterkey and not d.keeps then
        set[#set + 1] = 'keeps'
        set[#set + 1] = '1'
        d.keeps = '1'
    end
end

-- name, letter and value, ...; and where in it they begin
function several.parameters_of(f)
    if type(f.parameters) == 'string' then
        f.parameters, f.first = cmsgpack.unpack(f.parameters), 1
    end
    return f.parameters, f.first
end

-- the rest of its facts, for those who need more than that it is the same
local function tell_all(f, args)
    local t = f.told and cmsgpack.unpack(f.told) or { unpack(args, 11, 20) }
    local ns, major, minor = string.match(args[9], '^(%d) ?(%d?)(%d?)$')
    f.ns = ns
    f.cwmp = minor and minor ~= '' and major .. '.' .. minor or ''
    f.address, f.manufacturer = args[10], t[1]
    f.oui, f.class, f.serial = string.upper(t[2]), t[3], t[4]
    f.root, f.version, f.hardware, f.url = t[5], t[6], t[7], t[8]
    f.parameterkey = t[9]
    f.reported = t[10] == '1' and t[9] or nil
    f.list, f.codes = {}, {}
    for i = f.at, f.last, 2 do
        local text, code = event_code(args[i])
        f.list[#f.list + 1] = text
        f.list[#f.list + 1] = args[i + 1]
        f.codes[code] = text
    end
end

local function tell_inform(c, f, args)
    event(c, 'inform', 'events', string.sub(f.events, 1, TOLD_MAX), 'address',
          args[10], several.repaired(f.repaired))
end

--[[
  What each Inform changes.  Its place in the index is as old as BOUND.seen at
  most, so that devices that inform often do not pay for it each time: it is
  dear among many.
]]
local function contact(c, f, set)
    set[#set + 1] = 'seen'
    set[#set + 1] = c.when
    local old = f.known[4]
    local since = c.second - (old or 0)
    if not old or since >= BOUND.seen or since < 0 then
        call('ZADD', c.k[SEEN], c.when, c.id)
        set[#set + 1] = 'indexed'
        set[#set + 1] = c.second
    end
    if f.known.burst then
        set[#set + 1] = 'burst'
        set[#set + 1] = f.known.burst
    end
    if f.free and not f.known[5] then
        set[#set + 1] = 'free'
        set[#set + 1] = '1'
    end
    return set
end

-- The device, when it is as it was: nil when something is told of it that was
-- not.
local function same_device(c, f, args, is)
    local got = f.known
    if got[1] == is .. QUIRKY then
        c.q = call('HGET', c.k[DEVICE], 'quirks') or ''
    elseif got[1] ~= is then
        return nil
    end
    local d = { informed = got[2], events = got[3] }
    tell_inform(c, f, args)
    local set = contact(c, f, {})
    if f.clock ~= '' then
        set[#set + 1] = 'clock'
        set[#set + 1] = f.clock
    end
    if d.events ~= f.events then
        set[#set + 1] = 'events'
        set[#set + 1] = f.events
    end
    if d.informed ~= f.informed then
        tell_all(f, args)
        set[#set + 1] = 'informed'
        set[#set + 1] = f.informed
        local model = data_model(f.root, several.parameters_of(f))
        if model then
            set[#set + 1] = 'datamodel'
            set[#set + 1] = model
        end
    end
    call('HSET', c.k[DEVICE], unpack(set))
    return d
end

-- nil when there is none, or nothing that can be one
function several.setting(base, name)
    local value = redis.pcall('HGET', base .. 'settings', name)
    return type(value) == 'string' and tonumber(value) or nil
end

function several.each_tag(tags, take)
    for tag in string.gmatch(tags or '', '[^,]+') do
        take(tag)
    end
end

function several.index_tags(c, how, tags)
    local key = string.gsub(c.k[SEEN], 'seen$', 'tag')
    several.each_tag(tags, function(tag)
        local member = tag .. '\t' .. c.id
        if how == 'ZADD' then
            call('ZADD', key, 0, member)
        else
            call('ZREM', key, member)
        end
    end)
end

-- what the Inform says of the device; only what changed is written
local function device(c, f, args)
    local is = digest_of(c, f, args)
    local d = is and not f.resets and same_device(c, f, args, is)
    if d then
        return d
    end
    tell_all(f, args)
    d = hash_fields(c.k[DEVICE], DEV)
    if f.resets and is_repeated(c, f, d) then
        f.resets = false
    end
    if f.resets then
        reset(c, d)
    end
    -- what each Inform looks at is found first, where it is put first
    local set = contact(c, f, { 'is', '', 'informed', f.informed, 'events',
                                f.events })
    if f.clock ~= '' then
        set[#set + 1] = 'clock'
        set[#set + 1] = f.clock
    end
    for i = 2, 13 do
        local name = DEV[i]
        if name == 'url' then
            if f.url ~= '' and f.url ~= (d.url or d.badurl) then
                new_url(c, d, f.url, set)
            end
        elseif f[name] ~= d[name]
           and (f[name] ~= '' or name == 'parameterkey' and f.reported)
        then
            set[#set + 1] = name
            set[#set + 1] = f[name]
        end
    end
    if f.retries ~= (d.retries or '0') then
        set[#set + 1] = 'retries'
        set[#set + 1] = f.retries
    end
    if not d.first then
        set[#set + 1] = 'first'
        set[#set + 1] = c.when
    end
    keeps(d, f, set)
    if d.methods and f.version ~= '' and f.version ~= d.version then
        call('HDEL', c.k[DEVICE], 'methods')    -- another firmware
    end
    local model = d.informed ~= f.informed
                  and data_model(f.root, several.parameters_of(f))
    if model then
        set[#set + 1] = 'datamodel'
        set[#set + 1] = model
    end
    c.q = device_quirks(c, d, f, set)
    if is then
        set[2] = is .. (c.q ~= '' and QUIRKY or '')
    end

    model = f.oui .. ' ' .. f.class
    local was = d.oui and d.oui .. ' ' .. (d.class or '')
    if was ~= model then
        index(c, MODEL, was, model)
    end
    if f.version ~= '' and f.version ~= d.version then
        index(c, SOFTWARE, d.version, f.version)
    end
    if not d.first then
        call('ZADD', c.k[FIRST] or string.gsub(c.k[SEEN], 'seen$', 'first'),
             c.when, c.id)
        several.index_tags(c, 'ZADD', call('HGET', c.k[DEVICE], 'tags'))
        event(c, 'new')
    end
    -- the last: by it the next Inform knows what is in the others
    call('HSET', c.k[DEVICE], unpack(set))
    tell_inform(c, f, args)
    return d
end

local VALUES = '4 ' .. CODES[4][1]

-- Parameters that are in each Inform (TR-181, TR-098), changed or not.
local FORCED = { RootDataModelVersion = true, DeviceSummary = true,
    ['DeviceInfo.SpecVersion'] = true, ['DeviceInfo.HardwareVersion'] = true,
    ['DeviceInfo.SoftwareVersion'] = true,
    ['DeviceInfo.ProvisioningCode'] = true,
    ['ManagementServer.ParameterKey'] = true,
    ['ManagementServer.ConnectionRequestURL'] = true,
    ['ManagementServer.AliasBasedAddressing'] = true }

--[[
  The values that this Inform tells as changed, as JSON for events: those that
  were not known, and those that need not be in it; but if it is told again, the
  former only.  All when there is none of these.  nil: nothing is new.
]]
local function new_values(c, f, again)
    local args, first = several.parameters_of(f)
    local news, all = { size = 0 }, { size = 0 }
    local function add(list, pair)
        if list.size <= TOLD_MAX then
            list[#list + 1] = pair
            list.size = list.size + #pair
        end
    end
    local names = {}
    for i = first, #args - 1, 2 do
        names[#names + 1] = args[i]
    end
    local _, values = stored(c.k[PARAMS], names)
    for i, name in ipairs(names) do
        local now = args[first + 2 * i - 1]
        local pair = quote(name) .. ':' .. quote(string.sub(now, 2))
        add(all, pair)
        if values[i] ~= now or not again
           and not FORCED[string.match(name, '^[^.]*%.(.*)$') or '']
        then
            add(news, pair)
        end
    end
    if again and not news[1] then
        return nil
    end
    return told('{' .. table.concat(news[1] and news or all, ',') .. '}')
end

-- A sign of life, and nothing else: false when it must be taken as any Inform.
local function is_light(c, f)
    if not f.light or call('HEXISTS', c.k[DEVICE], 'first') == 0 then
        return false
    end
    call('HSET', c.k[DEVICE], unpack(contact(c, f, { 'events', f.events })))
    return true
end

--[[
  A CPE that informs without end: of its Informs that come within BOUND.near
  seconds of the last, it may have so many in BOUND.window seconds; then one in
  BOUND.near seconds, as the retry table of CWMP has it.  Others are refused
  before anything is written.  burst: since when it is counted, and how many.
]]
local function too_often(c, known)
    local gap = c.when - (known[6] or 0)
    if gap >= BOUND.near or gap < 0 then
        return false
    end
    local start, n = string.match(known[7] or '', '^(%d+) (%d+)$')
    local since = start and c.second - start
    if not start or since >= BOUND.window or since < 0 then
        start, n = c.second, 0
    end
    n = n + 1
    local most = BOUND.burst
    if n > most then
        most = several.setting(string.sub(c.k[EVENTS], 1, -7), 'sessions')
               or most
    end
    if n <= most then
        known.burst = start .. ' ' .. n
        return false
    elseif n == most + 1 then
        call('HSET', c.k[DEVICE], 'burst', start .. ' ' .. n)
        event(c, 'session', 'state', 'refused', 'reason', 'informs without end')
        note(c, 'informs without end: more than ' .. most .. ' sessions in '
                .. BOUND.window / 60 .. ' minutes; for the rest of them it gets '
                .. 'one in ' .. BOUND.near .. ' seconds')
    end
    return true
end

-- What is looked at in each Inform; the rest by tell_all() and parameters_of().
local function inform_facts(c, args)
    local at = c.packed and 13 or 21
    local count = string.match(args[at + 2], '^%d+')
    local last = at + 2 + 2 * count
    local f = { informed = args[at], retries = args[at + 1],
                clock = string.sub(args[at + 2], #count + 2), at = at + 3,
                last = last, first = last + 1, events = nil, resets = nil,
                light = last > at + 2, values = nil, parameters = args,
                told = nil, is = nil, known = nil, free = nil }
    if c.packed then
        f.told, f.is, f.parameters = args[11], args[12], args[last + 1]
    end
    for i = f.at, last, 2 do
        local text, _, row = event_code(args[i])
        if row then
            f.resets, f.values = f.resets or row.resets, f.values or row.values
        else
            text = string.gsub(text, ',', ';')
        end
        f.light = f.light and row and row.light
        f.events = f.events and f.events .. ',' .. text or text
    end
    f.events = f.events or ''
    return f
end

--[[
  args: id, token, nonce, digest, 'inform', idle ms, outstanding ms, most,
  namespace and version ("2 14": cwmp-1-2, CWMP 1.4), address, (1)
  manufacturer, oui, class, serial, root, version, hardware, url, ParameterKey,
  1 if it was reported, (2) digest of the parameters, RetryCount, number of
  events and the device's clock ("2 2026-01-02T03:04:05Z"), code, CommandKey,
  ..., (3) name, letter and value, ...

  cwmp_step_2 has what stands between (1) and (2), and all after (3), packed
  into one argument each, since it is looked at only when it is not as it was;
  and at (2) a digest of all between namespace and (2) and of RetryCount, empty
  without root or version.
]]
function inform(c, args)
    local k, token, nonce, digest = c.k, args[2], args[3], args[4]
    local known = call('HMGET', k[DEVICE], 'is', 'informed', 'events',
                       'indexed', 'free', 'seen', 'burst')
    -- of most devices there is nothing of all this
    local quirks = k[QUIRKS] or k[TASKS]
    local rest = known[5] and call('EXISTS', k[SESSION], k[TASKS], quirks)
                 or call('EXISTS', k[SESSION], k[TASKS], quirks, k[LIVE])
    local old = rest > 0 and load_session(c)
    if old and (old.n == nonce or old.d == digest and old.a == 'inform'
                                  and old.r == '0')
    then
        if old.n ~= nonce then
            old.r = '1'
        end
        old.idle = args[6]
        save(c, old, nonce, old.d)
        return { 'inform', c.notes, old.t, old.y or '' }
    end
    if too_often(c, known) then
        return { 'later', c.notes }
    end
    if rest > 0 then
        call('DEL', k[SESSION])
        rest = old and rest - 1 or rest
    end

    local f = inform_facts(c, args)
    local carries = rest > 0 and call('EXISTS', k[TASKS], k[LIVE]) > 0
    f.known, f.free = known, not carries
    local awake = false
    if carries then
        check_keys(c)
        tell_all(f, args)
        -- what was pushed before this Inform may wait for what it brings
        for _ = 1, INTAKES do
            if not intake(c, INTAKE) then
                break
            end
        end
        awake = release(c, f.codes)
    end
    if rest == 0 then
        c.generation = '0'
    end

    local counts = several.counts_of(args[8])
    local light, d = not awake and is_light(c, f), nil
    if light then
        c.q = call('HGET', c.k[DEVICE], 'quirks') or ''
    else
        f.repaired = counts[3]
        d = device(c, f, args)
        if d.informed ~= f.informed then
            local again = f.retries ~= '0' and string.find(d.events or '',
                                                           VALUES, 1, true)
            local news = f.values and new_values(c, f, again)
            if news then
                event(c, 'value change', 'parameters', news,
                      several.repaired(f.repaired))
            end
            write_params(c, call('HGET', k[DEVICE], 'gen') or '0',
                         several.parameters_of(f))
        end
    end

    if carries then
        lose(c, 'a new Inform')
        if not light then
            installed(c, f)
            inform_waiting(c, f)
        end
    end
    call('HSET', k[SESSION], 't', token, 'p', FRESH .. (light and '1 ' or '0 ')
         .. args[6] .. ' ' .. args[9], 'n', nonce, 'd', digest,
         'b', counts[2] ~= '' and counts[2] or '0', 'o', c.second .. '000',
         'f', carries and '' or '1')
    local style = ''
    if c.q ~= '' then
        tell_all(f, args)
        style = style_of(c, f.root ~= '' and f.root or d and d.root or '')
        call('HSET', k[SESSION], 'q', c.q, 'y', style)
    end
    call('PEXPIRE', k[SESSION], args[6])
    return { 'inform', c.notes, token, style }
end

end

-- the end of the RPC outstanding, whatever came of it; the next one follows
local function settle(c, s, run, status, more)
    more = more or {}
    more.sent = not only_types(c, run) and tonumber(run.sent) or nil
    more.response = more.response or half_made(run)
    if more.response and (run.full == '1' or run.work and run.work.full) then
        more.response = string.sub(more.response, 1, -2) .. ',"stored":false}'
    end
    finish(c, run.id, status, more)
    call('DEL', c.k[RUNNING])
end

-- The next message of a task of several.  When the session may have no more,
-- the rest waits for the next one; a new object's values never do.
function several.proceed(c, s, run, task, json)
    if run.work and run.full == '1' then
        run.work.full = true
    end
    several.save_work(c, run)
    local may, why = several.may_send(c, s)
    if not may and run.instance == '' then
        call('DEL', c.k[RUNNING])
        if not several.early[run.phase] then
            call('HSET', c.k[LIVE], '=a ' .. run.id, 0)
        end
        several.requeue(c, run, task,
                        several.early[run.phase] and run.phase or '')
        note(c, 'task ' .. run.id .. ': ' .. (why == '' and '' or why .. ': ')
                .. 'the rest waits for the next session')
        return close(c, s)
    end
    if not several.early[run.phase] then
        run.attempts = '1'
        call('HSET', c.k[LIVE], '=a ' .. run.id, 1)
    end
    return send(c, s, run, task, json, true)
end

-- the end of a read of several RPCs
function several.read_done(c, s, run, task)
    local w = run.work
    local response = several.list_of(call('HGET', c.k[LIVE], '=r ' .. run.id),
                             { cut = w.cut, count = w.count or 0 })
    mark_read(c, w.gen, several.complete(w, task))
    if #w.bad == 0 and not w.unread then
        settle(c, s, run, 'done', { response = response })
    else
        settle(c, s, run, 'fault', { fault = several.read_fault(w, task),
               response = w.count and response or nil })
    end
    return next_task(c, s)
end

-- The next RPC of a read, or its end; what would take too many is not read.
function several.read_on(c, s, run, task, json)
    local w = run.work
    w.rpcs = w.rpcs + 1
    if #w.left > 0 and (w.rpcs >= w.most or #w.bad >= BOUND.blamed) then
        w.unread = 0
        for _, part in ipairs(w.left) do
            local names = several.names_of(part, task)
            w.unread = w.unread + #names
            for i = 1, math.min(#names, BOUND.blamed + 10 - #w.bad) do
                several.blame(w, names[i], 'not read')
            end
        end
        w.left = {}
    end
    if #w.left == 0 then
        return several.read_done(c, s, run, task)
    end
    run.phase = several.read_phase(run)
    return several.proceed(c, s, run, task, json)
end

-- what is right below a path was listed: that is read instead of it
function several.level_read(c, s, run, task, json, r)
    local w = run.work
    local head = table.remove(w.left, 1)
    local names, objects = several.children(head.l, r.json)
    local l = several.limits_of(c, s)
    local parts = names and several.level_parts(l, names, objects) or {}
    several.put_first(w.left, parts)
    if not names then
        several.blame(w, head.l, objects)
    elseif #cjson.encode(w.left) > BOUND.work then
        w.left = several.slice(w.left, #parts, #w.left)
        several.blame(w, head.l, 'has more below it than is taken at once')
    elseif several.too_much[head.c] and #parts > 0 then
        several.learn(c, 'level', math.floor(c.now / 1000),
                      several.general(head.l))
    elseif head.c == nil then
        -- the table of quirks, or the model, wants it: that is no failure
        w.most = math.min(w.most + 1 + #parts, BOUND.reads)
    end
    return several.read_on(c, s, run, task, json)
end

-- Values were read: all of them?  nil: of a task of one RPC, all.
function several.part_read(c, s, run, task, json, r)
    local most = quirk(s, 'valuesAtMost')
    local names = most and not run.work and several.names_to_read(task)
    if run.work then
        names = several.names_of(run.work.left[1], task)
    end
    local cut = most and names and several.has_partial(names)
                and select(2, several.rows_of(r.json)) >= most
    if not run.work and not cut then
        return nil
    end
    if not run.work then
        several.new_read(run, { { 0, #names } }, run.gen)
    end
    if cut then
        several.ask_less(c, run, task, 'the model answers with ' .. most
                               .. ' values at most')
    else
        several.keep_rows(c, run, r.json)
        mark_read(c, run.gen, names)
        table.remove(run.work.left, 1)
    end
    return several.read_on(c, s, run, task, json)
end

-- a read was refused; nil: there is nothing less to ask for
function several.read_refused(c, s, run, task, json, fault, code)
    local names = c.k[LEARNED] and METHODS[run.method].reads
                  and several.names_to_read(task)
    if not names or not several.too_much[code] and not run.work then
        return nil
    end
    if not run.work then
        if #names == 1 and not several.is_partial(names[1]) then
            return nil
        end
        several.new_read(run, { { 0, #names } }, run.gen)
    end
    if several.too_much[code] or run.phase == 'level' then
        several.ask_less(c, run, task, code, fault)
    else
        -- whatever it is, less would not help: these, and on with the rest
        local head = table.remove(run.work.left, 1)
        for _, name in ipairs(several.names_of(head, task)) do
            if #run.work.bad < BOUND.blamed then
                several.blame(run.work, name, code, fault)
            else
                run.work.unread = (run.work.unread or 0) + 1
            end
        end
    end
    return several.read_on(c, s, run, task, json)
end

-- So many names at once are too many for a read that comes before; nil: there
-- is but one.
function several.read_half(c, s, run, task, json)
    local w = several.work_of(c, run) or {}
    local list, size = to_set(run, task), 0
    for _ in pairs(list or {}) do
        size = size + 1
    end
    local head = w.reads and w.reads[1]
                 or run.phase ~= 'types' and w.left and w.left[1]
                 or { 0, size }
    size = head[2] - head[1]
    if not c.k[LEARNED] or size < 2 then
        return nil
    end
    w.reads = w.reads or { head }
    table.remove(w.reads, 1)
    several.put_first(w.reads, several.parts_at(head, {
                      0, math.floor(size / 2), size }))
    run.work = w
    return several.proceed(c, s, run, task, json)
end

-- What was set was applied, one part or all of it: on with the next part.
-- response: when there are no parts.
function several.set_on(c, s, run, task, json, response, status, how)
    local w = several.work_of(c, run)
    if w and w.applied then
        response = several.part_applied(c, run, status, how)
    end
    if response then
        settle(c, s, run, 'done', { response = response })
        return next_task(c, s)
    end
    run.phase, run.before = '', run.key
    run.key = several.own_key(run, task)
    return several.proceed(c, s, run, task, json)
end

-- The RPCs that this session gave up, in its field g: their answers may come yet.
function several.give_up_on(c, run)
    local g = call('HGET', c.k[SESSION], 'g') or ''
    call('HSET', c.k[SESSION], 'g', string.sub(g, -GIVEN_UP) .. ' ' .. run.rpc)
end

function several.is_given_up(c, id)
    local g = call('HGET', c.k[SESSION], 'g')
    return g and string.find(g .. ' ', ' ' .. id .. ' ', 1, true) ~= nil
end

-- an ID that we gave to another RPC
function several.is_anothers(run, id)
    return id ~= run.rpc and string.find(id, '^%x+%.%d+$') ~= nil
end

--[[
  Answers are matched by order, since CPEs send none or a constant ID; but an
  ID that we gave to another RPC may tell that it is not the answer to this one,
  which is sent again then: surely that of an RPC that this session gave up; else
  once, and not when what must not happen twice is answered by its method.  (The
  same bytes a third time are taken as new, unless a part of them came ahead of
  the step, since it was not stored.)
]]
local function is_stray(c, s, args, run, id, method)
    local ignored = tonumber(run.takes) or 0
    if not several.is_anothers(run, id) or ignored >= STRAYS then
        return false
    end
    if not several.is_given_up(c, id) then
        local fits = method == nil
                     or method == (several.rpc[run.phase] or run.method)
        local again = METHODS[run.method].lost == 'again'
                      or several.early[run.phase]
        if ignored > 0 or run.strayed ~= id
           and (args[4] == s.d or fits and not again)
        then
            return false
        end
    end
    call('HSET', c.k[RUNNING], 'takes', ignored + 1)
    note(c, 'task ' .. run.id .. ': the answer to another RPC, ID ' .. id
            .. ', is ignored')
    return true
end

-- an empty POST: the CPE's requests are over, or it did not take our RPC
local function on_empty(c, s)
    if s.s ~= ACS then
        return s.s == CPE and next_task(c, s) or { 'end', c.notes }
    end
    if s.e == '0' then
        s.e = '1'
        return same_rpc(c, s)
    end
    check_keys(c)
    s.e = '0'
    local run = load_running(c)
    if run then
        call('DEL', c.k[RUNNING])
        several.give_up_on(c, run)
        give_up(c, run, 'the CPE did not answer: two empty POSTs in a row')
    end
    return next_task(c, s)
end

-- a phase of a task of several RPCs is answered: the next one
local function next_phase(c, s, run, task, json)
    local w = several.work_of(c, run)
    if w and w.reads then
        table.remove(w.reads, 1)
        if #w.reads > 0 then
            return several.proceed(c, s, run, task, json)
        end
        w.reads = nil
        several.save_work(c, run)
    end
    if run.phase == 'confirm' then
        run.phase = 'confirmed'
        return send(c, s, run, task, json, true)
    end
    if run.phase == 'types' then
        run.phase = run.instance ~= '' and 'set' or ''
        return send(c, s, run, task, json, true)
    end
    if tonumber(run.attempts) >= (task.attempts or 3) then
        run.phase = 'check'
    else
        run.phase = 'compare'
        run.attempts = call('HINCRBY', c.k[LIVE], '=a ' .. run.id, 1)
    end
    return send(c, s, run, task, json, true)
end

-- a change was confirmed: which ParameterKey the device now has, what is gone
local function changed(c, run, task)
    -- the next Inform is not taken for one that tells nothing new
    call('HSET', c.k[DEVICE], 'lastkey', run.key, 'parameterkey', run.key,
         'is', '')
    if run.method == 'DeleteObject' then
        mark_read(c, run.gen, { tostring(task.ObjectName or '') })
    end
end

-- What the device says that it can do, by names and commas.
local function remember_methods(c, json)
    local list, names = (decode(json) or {}).MethodList, {}
    for _, name in ipairs(type(list) == 'table' and list or {}) do
        if type(name) == 'string' and #name <= 64 and #names < METHODS_MAX
           and string.find(name, '^[%w_.-]+$')
        then
            names[#names + 1] = name
        end
    end
    call('HSET', c.k[DEVICE], 'methods', table.concat(names, ','))
end

local function done(c, s, run, task, json, r)
    local m = METHODS[run.method]
    if m.lost == 'verify' then
        changed(c, run, task)
    end
    local adds = run.method == 'AddObject' and run.phase == ''
    if adds and r.instance == '' then
        settle(c, s, run, 'lost', { fault = reason_json('the object was added,'
               .. ' but the AddObjectResponse has no InstanceNumber') })
        return next_task(c, s)
    end
    if adds and type(task.values) == 'table' and next(task.values) ~= nil then
        run.phase, run.instance, run.before = 'set', r.instance, run.key
        run.made = r.status
        run.key = parameter_key(run.id, task, 'set')
        return send(c, s, run, task, json)
    end
    if m.list and r.status == '0' and to_set(run, task)
       and quirk(s, 'confirmSet') and c.k[LEARNED]
    then
        run.phase = 'confirm'
        return send(c, s, run, task, json, true)
    end
    if run.method == 'SetParameterValues' then
        return several.set_on(c, s, run, task, json, r.json, r.status)
    end
    local more = m.reads and c.k[LEARNED]
                 and several.part_read(c, s, run, task, json, r)
    if more then
        return more
    end
    if m.reads and type(task.ParameterNames) == 'table' then
        mark_read(c, run.gen, task.ParameterNames)
    end
    if m.cancels then
        cancelled(c, m.cancels, task.CommandKey)
    end
    if m.event and r.status ~= '0' then
        call('DEL', c.k[RUNNING])
        if not end_early(c, run) then
            await(c, run, task, true)
        end
        s.l = m.closes and '1' or s.l
        return next_task(c, s)
    end
    if m.lists then
        remember_methods(c, r.json)
    end
    local response = r.json
    if run.instance ~= '' then
        response = '{"InstanceNumber":' .. run.instance .. ',"Status":'
                   .. several.worst(run, r.status) .. '}'
    end
    settle(c, s, run, 'done', { response = response })
    return next_task(c, s)
end

--[[
  args from 9: method answered, JSON, Status, InstanceNumber, ID, then the
  parameters read: name, letter and value, ...
]]
local function on_response(c, s, args)
    check_keys(c)
    local run = s.s == ACS and load_running(c)
    if not run then
        note(c, args[9] .. 'Response with nothing outstanding')
        return on_empty(c, s)
    end
    if is_stray(c, s, args, run, args[13], args[9]) then
        return same_rpc(c, s)
    end
    local r = { method = args[9], json = args[10], status = args[11],
                instance = args[12] }
    local task, json = several.outstanding(c, run)
    if not task then
        return next_task(c, s)
    end
    local want = several.rpc[run.phase] or run.method
    if r.method ~= want then
        call('DEL', c.k[RUNNING])
        give_up(c, run, 'invalid response: ' .. r.method .. 'Response to '
                        .. want)
        return next_task(c, s)
    end
    s.m = args[13] == run.rpc and '1' or '0'
    if want == 'GetParameterValues' and args[14] then
        write_params(c, run.gen, args, 14, run)
        call('HDEL', c.k[DEVICE], 'informed')
    end
    if several.early[run.phase] then
        return next_phase(c, s, run, task, json)
    end
    if run.phase == 'level' then
        return several.level_read(c, s, run, task, json, r)
    end
    return done(c, s, run, task, json, r)
end

-- args from 9: JSON of the fault, its code, ID
local function on_fault(c, s, args)
    check_keys(c)
    local run = s.s == ACS and load_running(c)
    if not run then
        note(c, 'a Fault with nothing outstanding')
        return on_empty(c, s)
    end
    if is_stray(c, s, args, run, args[11]) then
        return same_rpc(c, s)
    end
    s.m = args[11] == run.rpc and '1' or '0'
    event(c, 'fault', 'id', run.id, 'code', args[10])
    local task, json = several.outstanding(c, run)
    if not task then
        return next_task(c, s)
    end
    local less
    if several.early[run.phase] and args[10] == '9004' then
        less = several.read_half(c, s, run, task, json)
    elseif not several.early[run.phase] then
        less = several.read_refused(c, s, run, task, json, args[9], args[10])
    end
    if less then
        return less
    end
    if run.phase == 'verify' or run.phase == 'confirm' then
        settle(c, s, run, 'lost', { fault = reason_json(
               (run.phase == 'verify' and 'sent, but the session ended before '
               .. 'the answer' or 'set, the device says')
               .. '; reading back gave fault ' .. args[10]) })
    else
        settle(c, s, run, 'fault', { fault = run.phase ~= 'types' and args[9]
               or string.sub(args[9], 1, -2) .. ',"reason":"to read the types of '
                  .. 'what is to be set; nothing was set. A task that gives '
                  .. 'them learns which name is wrong"}' })
    end
    return next_task(c, s)
end

-- args from 9: method, CommandKey, FaultCode, JSON
local function on_request(c, s, args)
    local means = REQUESTS[args[9]]
    if means then
        check_keys(c)
        means(c, args[10], args[11], args[12])
    end
    if s.s == CLOSING then
        s.s = CPE
    end
    -- an RPC that is outstanding stays so
    return { 'answer', c.notes, s.y or '' }
end

-- Where a list is to be cut, "0 120 300", so that each part fits into one
-- message.
function several.on_split(c, s, run, task, json, text)
    local at = {}
    for place in string.gmatch(text, '%d+') do
        at[#at + 1] = tonumber(place)
    end
    -- it was not sent, and is sent in parts now
    s.c = math.max(0, tonumber(s.c) - 1)
    run.work = several.work_of(c, run) or {}
    local w = run.work
    if several.early[run.phase] then
        w.reads = w.reads or {}
        table.remove(w.reads, 1)
        several.put_first(w.reads, several.parts_at({ 0, 0 }, at))
    elseif METHODS[run.method].reads then
        if not w.left then
            several.new_read(run, { { 0, at[#at] } }, run.gen)
            w = run.work
        end
        local parts = several.parts_at(table.remove(w.left, 1), at)
        several.put_first(w.left, parts)
        w.most = math.min(w.most + 2 * #parts, BOUND.reads)
        run.phase = several.read_phase(run)
    else
        w.left = w.left or { { 0, at[#at] } }
        w.applied, w.size = w.applied or 0, w.size or at[#at]
        table.remove(w.left, 1)
        several.put_first(w.left, several.parts_at({ 0, 0 }, at))
        run.key = several.own_key(run, task)
    end
    return several.proceed(c, s, run, task, json)
end

-- it is known that the device has these values
function several.on_known(c, s, run, task, json, response)
    if several.early[run.phase] then        -- types: nothing is left to read
        return next_phase(c, s, run, task, json)
    end
    local confirmed = run.phase == 'confirmed'
    if run.instance ~= '' then
        settle(c, s, run, 'done', { response = '{"InstanceNumber":'
               .. run.instance .. ',"Status":' .. several.worst(run, 0)
               .. '}' })
        return next_task(c, s)
    end
    return several.set_on(c, s, run, task, json,
                  confirmed and '{"Status":0}' or response, 0,
                  not confirmed and 'read' or nil)
end

-- The RPC outstanding was held until replicas have it, which they did not in
-- time.  Nobody has sent it but who has held it, too: then nobody knows.
function several.on_unsent(c, s, run, why)
    local held = run and call('HGET', c.k[RUNNING], 'held ' .. run.rpc)
    local task = run and load_task(c, run.id)
    if task and (tonumber(held) or 0) <= 1 and METHODS[run.method] then
        call('DEL', c.k[RUNNING])
        call('HINCRBY', c.k[LIVE], '=a ' .. run.id, -1)
        several.put_back(c, run, task)
        note(c, 'task ' .. run.id .. ' (' .. run.method
                .. ') waits for the next session')
    elseif run then
        lose(c, why)
    end
    return close(c, s)
end

-- The caller could not send it, or not at once, or found it done: args from 9:
-- task's id, 'rejected' with field and reason, 'split' with places, 'done'
-- with a response, or 'unsent' with a reason; 'last' when no call may follow;
-- the RPC's ID
local function on_verdict(c, s, args)
    check_keys(c)
    local run = load_running(c)
    s.last = args[13] == 'last'
    if run and (run.id ~= args[9] or args[14] and args[14] ~= run.rpc) then
        return same_rpc(c, s)       -- another worker had this POST, too
    end
    if args[10] == 'unsent' then
        return several.on_unsent(c, s, run, args[11])
    end
    local task, json
    if run and args[10] ~= 'rejected' then
        task, json = several.outstanding(c, run)
    end
    if task and args[10] == 'split' then
        return several.on_split(c, s, run, task, json, args[11])
    elseif task then
        return several.on_known(c, s, run, task, json, args[11])
    end
    if run and args[10] == 'rejected' then
        note(c, 'task ' .. run.id .. ' rejected: ' .. args[11] .. ': '
                .. args[12])
        -- compare and check: it had been sent in an earlier session
        local w = several.work_of(c, run)
        local status = (run.instance ~= '' or run.phase == 'confirmed'
                        or w and (w.applied or 0) > 0) and 'fault'
                       or (run.phase == 'compare' or run.phase == 'check')
                          and 'lost' or 'rejected'
        if status == 'rejected' then
            run.sent = nil
        end
        settle(c, s, run, status, { fault = reason_json(args[12], args[11]) })
    end
    return next_task(c, s)
end

local POSTS = { empty = on_empty, request = on_request, verdict = on_verdict,
                response = on_response, fault = on_fault }

--[[
  The bytes of the last POST once more: sent again since its connection died,
  or, of a request, since the ACS said 8005?  A request surely, however often.
  An answer by the ID of its RPC, too.  But a CPE that echoes no ID answers two
  RPCs in the same bytes: on one connection (the nonce's first part) those are
  two answers.
]]
local function is_resent(s, digest, nonce)
    if digest == '' or digest ~= s.d then
        return false
    end
    if s.a == 'answer' then
        return true
    end
    if s.r ~= '0' then
        return false
    end
    return s.m == '1'
           or string.match(nonce, '^(.*)%.') ~= string.match(s.n, '^(.*)%.')
end

--[[
  args: id, token, nonce, digest, kind, idle ms, outstanding ms, RPCs at most (0 while
  Redis is slow) and bytes of the POST, and values in it that were repaired, if any ("256 4711 2";
  older nodes tell the first only), ...
  The nonce is the call's: a call that is repeated since its reply was lost
  gets the same answer.  The digest is the POST's: the same bytes get the same
  answer once more; a third time they are taken as new.
]]
local function step(c, args)
    local kind, nonce, digest = args[5], args[3], args[4]
    if kind == 'inform' then
        return inform(c, args)
    end
    local s = load_session(c)
    if not s or s.t ~= args[2] then
        return { 'unknown', c.notes }
    end
    local counts = several.counts_of(args[8])
    local bytes = counts[2]
    s.outstanding, s.most = args[7], counts[1]
    s.idle = s.to ~= args[6] and tonumber(s.to) > tonumber(args[6]) and s.to
             or args[6]
    c.q = s.q
    if s.n == nonce then
        return replay(c, s)
    end
    local why = (kind == 'request' or s.s == CLOSING and kind ~= 'verdict')
                and several.too_much_of(c, s)
    if why then
        lose(c, why)
        call('DEL', c.k[SESSION])
        note(c, why .. ': it is ended')
        return { 'unknown', c.notes }
    end
    if kind ~= 'verdict' then       -- that is a further call of the same POST
        s.b = s.b + (tonumber(bytes) or 0)
    end
    local reply
    if kind ~= 'verdict' and is_resent(s, digest, nonce) then
        s.r = '1'
        reply = replay(c, s)
    else
        s.r, s.m = '0', kind == 'verdict' and s.m or '0'
        if kind ~= 'empty' and kind ~= 'verdict' then
            s.e = '0'
        end
        reply = POSTS[kind](c, s, args)
        s.a = reply[1]
    end
    if kind == 'empty' and reply[1] == 'end' then
        -- the next empty POST is answered so in any case; others are no repeats
        s.r = '1'
        nonce = nil
    end
    -- a verdict is a further call of the same POST
    save(c, s, nonce, kind == 'verdict' and s.d or digest)
    return reply
end

-- A key of a wrong type is said by name, also one that no step looks at before.
-- What the Inform tells is written again by the next one.
local function cwmp_step(keys, args, packed)
    local c = context(keys, args[1])
    c.packed = packed
    local ok, reply = pcall(step, c, args)
    if ok then
        -- one word is enough for most
        local short = packed and not c.notes[1]
                      and (reply[1] == 'end' or reply[1] == 'inform'
                           and reply[3] == args[2] and reply[4] == '')
        return short and reply[1] or reply
    end
    if args[5] == 'inform' then
        redis.pcall('HDEL', c.k[DEVICE], 'informed')
    end
    check_kinds(c, KINDS)
    check_kinds(c, { [SEEN] = 'zset', [MODEL] = 'zset', [SOFTWARE] = 'zset',
                     [FIRST] = 'zset' })
    error(reply, 0)
end

do

-- Parameters of a long response, ahead of its step; from first on: name, letter
-- and value, ...  rpc: the ID that it has, nil when that is not known.  Only
-- an answer that the step may take as one to the RPC outstanding is stored.
local function chunk(keys, args, first, rpc, write)
    local c = context(keys, args[1])
    if call('HGET', c.k[SESSION], 't') ~= args[2] then
        return { 'unknown', c.notes }
    end
    local run = load_running(c)
    if not run
       or (several.rpc[run.phase] or run.method) ~= 'GetParameterValues'
    then
        -- no values were asked for
    elseif rpc and several.is_anothers(run, rpc)
           and (run.takes == '' or several.is_given_up(c, rpc))
    then
        call('HSET', c.k[RUNNING], 'strayed', rpc)
    else
        call('HINCRBY', c.k[RUNNING], 'came',
             write(c, run.gen, args, first, run))
        call('HDEL', c.k[DEVICE], 'informed')
    end
    call('PEXPIRE', c.k[SESSION], args[3], 'GT')
    return { 'more', c.notes }
end

-- keys as for the step; args: id, token, outstanding ms, then the parameters
local function cwmp_chunk_1(keys, args)
    return chunk(keys, args, 4, nil, write_params)
end

-- the same; args: id, token, outstanding ms, the ID that the answer has, ...
local function cwmp_chunk_2(keys, args)
    return chunk(keys, args, 5, args[4], write_params)
end

-- the same, by object: object, how many, their names, letters and values, both
-- lists with \1 in between; for what is too long for that: path, 0, '', letter
-- and value; ...
local function cwmp_chunk_3(keys, args)
    return chunk(keys, args, 5, args[4], write_objects)
end

-- The RPC is not sent until replicas know that it may have been: what the WAIT
-- that follows is for, since it asks for the caller's own writes.  keys: running;
-- args: the RPC's ID.  How often it was held; 0: it is not outstanding here.
local function cwmp_hold_1(keys, args)
    if call('HGET', keys[1], 'rpc') ~= args[1] then
        return 0
    end
    return call('HINCRBY', keys[1], 'held ' .. args[1], 1)
end

-- An answer that was refused, or whose end did not come: the RPC stays
-- outstanding.  keys as for the step; args: id, token, why
local function cwmp_broke_1(keys, args)
    local c = context(keys, args[1])
    if call('HGET', c.k[SESSION], 't') == args[2]
       and call('EXISTS', c.k[RUNNING]) == 1
    then
        call('HSET', c.k[RUNNING], 'broke', (string.gsub(
             string.sub(args[3], 1, 200), '[^\32-\126]', '?')))
    end
    return { 'ok', c.notes }
end


redis.register_function('cwmp_chunk_1', cwmp_chunk_1)
redis.register_function('cwmp_chunk_2', cwmp_chunk_2)
redis.register_function('cwmp_chunk_3', cwmp_chunk_3)
redis.register_function('cwmp_broke_1', cwmp_broke_1)
redis.register_function('cwmp_hold_1', cwmp_hold_1)

end


-- ---------------------------------------------------------------- deadlines

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
    local w, task = load_waiting(c, id, entry)
    if not w then
        return
    end
    if w.deadline > c.now then
        return due(c, 'w', id, w.deadline)
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


-- ------------------------------------------------------ what people call

function house.wrong_key(key)
    return redis.error_reply('ERR ' .. key .. " is no device's key: use "
           .. "cwmp:{0}:ID:tasks, ID being OUI-ProductClass-SerialNumber with "
           .. "%XX for what is not a letter, a digit or _")
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
    return type(got) == 'table'
           and string.find(got.err, 'non local key', 1, true) ~= nil
end

-- f, of one key, as it is registered
function house.whole(f)
    return function(keys, args)
        if house.apart(keys[1]) then
            return redis.error_reply('TRYAGAIN the slot of ' .. keys[1]
                                     .. ' is being moved')
        end
        return f(keys, args)
    end
end

-- what was pushed plainly before; true when not all of it could be taken
function house.take_inbox(c)
    for _ = 1, QUEUE_MAX / INTAKE do
        if not intake(c, INTAKE) then
            return false
        end
    end
    return true
end

function house.inbox_long(c)
    return redis.error_reply('ERR the inbox of ' .. c.id .. ' is long: '
           .. call('LLEN', c.k[TASKS]) .. ' tasks; try again')
end

-- ------------------------------------------------------------ housekeeping

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
-- a function has 200 names of its own, and may use 60 from outside
function house.keeping()

local SCANNED = 50                  -- keys or entries looked at at once, about
local MOVED = 50                    -- devices
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
local TAGS_MAX, TAG_BYTES = 32, 64
local FOUND = 1000                  -- lines of a slice
local JOINED = 32                   -- replaced devices that one knows
local FIND = { most = 1000, looks = 500 }
local PHASES = { 'keys', 'index:seen', 'index:first', 'index:model',
                 'index:version', 'index:tag' }
local RECORD = { 'first', 'seen', 'oui', 'class', 'version', 'tags', 'free' }
-- what of it decides about an entry
local DECIDES = {
    ['index:seen'] = { 'first' }, ['index:first'] = { 'first' },
    ['index:model'] = { 'first', 'oui', 'class' },
    ['index:version'] = { 'first', 'version' },
    ['index:tag'] = { 'first', 'tags' },
}

local function base_of(key)         -- "cwmp:{0}:"
    return string.match(key, '^(.-:{%d+}:)')
end

local function no_partition(key)
    return redis.error_reply('ERR ' .. key .. ' is no key of a partition, such '
                             .. 'as cwmp:{0}:due')
end

local function shared_key(c, name)
    return base_of(c.k[DEVICE]) .. name
end

local function device_at(base, id)
    return context(keys_of(base .. id, id), id)
end

-- as it stands in an index: one line, without tabs
local function plain(text)
    return (string.gsub(text, '%c', '?'))
end

local each_tag = several.each_tag

-- name of the index, member, score
local function entries_of(id, d)
    if not d.first or not tonumber(d.first) then
        return {}
    end
    local list = { { 'index:first', id, d.first },
                   { 'index:seen', id, d.seen or d.first } }
    if d.oui then
        list[#list + 1] = { 'index:model', plain(d.oui .. ' ' .. (d.class or ''))
                                           .. '\t' .. id, 0 }
    end
    if d.version then
        list[#list + 1] = { 'index:version', plain(d.version) .. '\t' .. id, 0 }
    end
    each_tag(d.tags, function(tag)
        list[#list + 1] = { 'index:tag', tag .. '\t' .. id, 0 }
    end)
    return list
end

-- all deadlines that it may have
local function each_due(c, take)
    take('s ' .. c.id)
    take('g ' .. c.id)
    for _, id in ipairs(call('HKEYS', c.k[WAITING])) do
        take('w ' .. c.id .. ' ' .. id)
    end
    for _, id in ipairs(call('HKEYS', c.k[LIVE])) do
        if string.byte(id) ~= 61 then               -- "=": not a task
            take('x ' .. c.id .. ' ' .. id)
        end
    end
end

-- all that stands of a device beside its own keys
local function remove_shared(c)
    local d = hash_fields(c.k[DEVICE], RECORD)
    d.first = d.first or '0'
    for _, e in ipairs(entries_of(c.id, d)) do
        call('ZREM', shared_key(c, e[1]), e[2])
    end
    each_due(c, function(member) call('ZREM', c.k[DUE], member) end)
end

local function remove(c, reason)
    local tasks = call('ZCARD', c.k[QUEUE]) + call('HLEN', c.k[WAITING])
                  + call('EXISTS', c.k[RUNNING]) + call('LLEN', c.k[TASKS])
    remove_shared(c)
    for i = 1, #SUFFIX do
        call('UNLINK', c.k[i])
    end
    call('UNLINK', c.k[DEVICE] .. ':moving')
    event(c, 'deleted', 'reason', reason, 'tasks', tasks)
end


-- mend

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
        found(c, w, 'task ' .. id .. ' expires without a deadline', function()
            if task.expires * 1000 > c.now then
                due(c, 'x', id, task.expires * 1000)
            else
                finish(c, id, 'expired')
            end
        end)
    end
end

-- those of the queue that are left, counted from its end, where others come in
-- the meantime
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

local function mend_live(c, w, lives, rest, placed)
    for id in pairs(lives) do
        if not placed[id] then
            found(c, w, 'task ' .. id .. ' is neither in queue, running nor '
                        .. 'waiting', function() restore(c, id) end)
        end
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
    if d.free and next(lives) then
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
            -- a number of a task that none has reached
            call('HSET', c.k[DEVICE], 'order', math.floor(c.now / 1000))
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
    mend_index(c, w, d)
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
             watched = long }
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
    if not ok then
        tell(w, id, 'cannot be mended: '
                    .. (type(why) == 'table' and why.err or tostring(why)))
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
              ':results' }

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
            w.found[#w.found + 1] = base .. name .. ' cannot be read: ' .. got.err
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
    phase, cursor = tonumber(phase or 1), cursor or '0'
    if phase == 1 then
        cursor = slice_keys(base, cursor, rest or '', w)
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
        if tonumber(s.next) > now and tonumber(s.next) - now <= every then
            return 0, {}
        end
        call('HSET', key, 'started', now, 'devices', 0, 'mended', 0)
    end
    local at, w = house.slice(base, s.at or '0')
    call('HINCRBY', key, 'devices', w.devices)
    call('HINCRBY', key, 'mended', #w.found + (w.more or 0))
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
local function cwmp_reconcile(keys, args)
    local base = base_of(keys[1])
    if not base then
        return no_partition(keys[1])
    end
    local at, w = house.slice(base, args[1] or '0', args[2] == 'dry')
    return { at, w.devices, unpack(w.found) }
end

local SETTINGS = {                  -- least and most
    silence = { DAY, 3650 * DAY }, sessions = { BOUND.burst, BOUND.none },
    reconcile = { 1, 30 * DAY },
}

-- FCALL cwmp_setting 1 cwmp:{0}:settings NAME [VALUE]: sets it; '' takes it
-- away; the value that holds
local function cwmp_setting(keys, args)
    local name, value = args[1] or '', args[2]
    local bounds = SETTINGS[name]
    if not string.find(keys[1], ':{%d+}:settings$') then
        return redis.error_reply('ERR ' .. keys[1] .. ' is not cwmp:{0}:settings')
    end
    several.be_whole_at(keys[1])
    if not bounds then
        return redis.error_reply('ERR ' .. shown(name, 64) .. ' is no setting; '
               .. 'there are reconcile, sessions, silence')
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


-- what an admin does with a device

local function known_device(key)
    local k, id = device_keys(key)
    if not k then
        return nil, house.wrong_key(key)
    end
    local c = context(k, id)
    if call('EXISTS', k[DEVICE], k[TASKS], k[RESULTS]) == 0 then
        return nil, redis.error_reply('ERR no device ' .. id .. ' is known')
    end
    return c
end

-- FCALL cwmp_delete 1 cwmp:{0}:ID
local function cwmp_delete(keys)
    local c, wrong = known_device(keys[1])
    if not c then
        return wrong
    end
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
local function cwmp_tag(keys, args)
    local c, wrong = known_device(keys[1])
    if not c then
        return wrong
    end
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
       and (METHODS[task.method] or {}).lost ~= 'again'
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
local function cwmp_leave(keys, args)
    local c, wrong = known_device(keys[1])
    if not c then
        return wrong
    end
    local new, moving = args[1] or '', c.k[DEVICE] .. ':moving'
    if not device_keys(base_of(keys[1]) .. new) or new == c.id then
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
    elseif call('HGET', c.k[DEVICE], 'replaced') ~= new then
        return redis.error_reply('ERR ' .. c.id .. ' is being replaced by '
               .. call('HGET', c.k[DEVICE], 'replaced') .. ': end that first')
    end
    return string.format('%.0f ', call('HGET', c.k[DEVICE], 'moved') + 1)
           .. hex(call('LINDEX', moving, 0))
end

-- FCALL cwmp_left 1 cwmp:{0}:OLD N: "N left", after cwmp_join of that one
local function cwmp_left(keys, args)
    local c, wrong = known_device(keys[1])
    if not c then
        return wrong
    end
    local moving = c.k[DEVICE] .. ':moving'
    if tonumber(args[1]) == (call('HGET', c.k[DEVICE], 'moved') or 0) + 1 then
        call('LPOP', moving)
        call('HINCRBY', c.k[DEVICE], 'moved', 1)
    end
    return call('LLEN', moving)
end

local function join_task(c, id, json)
    local task, field, reason, bad = parse_task(json)
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
    end
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
    call('HDEL', c.k[DEVICE], 'replaced')
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
local function cwmp_join(keys, args)
    local k, id = device_keys(keys[1])
    local n, text = string.match(args[2] or '', '^(%d+) (%x+)%s*$')
    if not k then
        return house.wrong_key(keys[1])
    elseif not n or not device_keys(base_of(keys[1]) .. args[1]) then
        return redis.error_reply('ERR not as cwmp_leave gave it')
    end
    several.be_whole(k)
    local c = context(k, id)
    check_keys(c)
    if not join_mark(c, args[1], n) then
        return 'OK'
    end
    local kind, rest = string.match(string.gsub(text, '%x%x', function(h)
        return string.char(tonumber(h, 16))
    end), '^(%a+) (.*)$')
    if kind == 'tags' then
        return join_tags(c, rest, args[1])
    elseif kind == 'task' then
        join_task(c, string.match(rest, '^(%S+) (.*)$'))
    end
    return 'OK'
end


-- partitions

local function crc16(text)          -- CRC-16/XMODEM
    local crc = 0
    for i = 1, #text do
        crc = bit.bxor(crc, bit.lshift(string.byte(text, i), 8))
        for _ = 1, 8 do
            crc = bit.lshift(crc, 1)
            if crc >= 65536 then
                crc = bit.band(bit.bxor(crc, 0x1021), 65535)
            end
        end
    end
    return crc
end

-- All is looked at before anything is written.
local function rename_device(from, to, id)
    local c = device_at(from, id)
    local there = {}
    for i = 1, #SUFFIX + 1 do
        local suffix = SUFFIX[i] or ':moving'
        if call('EXISTS', from .. id .. suffix) == 1 then
            if call('EXISTS', to .. id .. suffix) == 1 then
                error({ err = 'ERR ' .. to .. id .. suffix .. ' is there, '
                              .. 'too: look at both, and delete one' })
            end
            there[#there + 1] = suffix
        end
    end
    each_due(c, function(member)
        local at = call('ZSCORE', c.k[DUE], member)
        if at then
            call('ZADD', to .. 'due', at, member)
        end
    end)
    remove_shared(c)
    for _, suffix in ipairs(there) do
        call('RENAME', from .. id .. suffix, to .. id .. suffix)
    end
    mend_one(to, id, work_on(to), '-')
    return 1
end

local function check_offline(prefix, partitions)
    for p = 0, partitions - 1 do
        if call('EXISTS', prefix .. ':{' .. p .. '}:due:lock') == 1 then
            return redis.error_reply('ERR a node is at work: stop nginx on all '
                   .. 'nodes, and wait for 5 seconds')
        end
    end
end

-- rows of quirks and settings are the same in all partitions
local function copy_rows(prefix, from, to)
    for _, name in ipairs({ 'quirks', 'settings' }) do
        local key = prefix .. ':{0}:' .. name
        if call('EXISTS', key) == 1 then
            for p = 1, to - 1 do
                call('COPY', key, prefix .. ':{' .. p .. '}:' .. name)
            end
        end
        for p = to, from - 1 do
            call('UNLINK', prefix .. ':{' .. p .. '}:' .. name)
        end
    end
end

-- FCALL cwmp_repartition 1 cwmp:meta FROM TO CURSOR: where to go on, and how
-- many devices were moved; of a Redis that is no Cluster
local function cwmp_repartition(keys, args)
    local prefix = string.match(keys[1], '^(.*):meta$')
    local from, to = tonumber(args[1]), tonumber(args[2])
    local cursor, moved = args[3] or '0', 0
    if not prefix or not whole(from, 1, 1024) or not whole(to, 1, 1024)
       or not string.find(args[1] .. ' ' .. args[2], '^[1-9]%d* [1-9]%d*$')
    then
        return redis.error_reply('ERR cwmp:meta FROM TO: from 1 to 1024')
    end
    local way = args[1] .. '>' .. args[2]
    local now = call('HGET', keys[1], 'partitions') or args[1]
    if now ~= args[1] and now ~= way then
        return redis.error_reply('ERR ' .. keys[1] .. ' says ' .. now
                                 .. ' partitions')
    end
    local busy = check_offline(prefix, math.max(from, to))
    if busy then
        return busy
    end
    if now ~= way then
        call('HSET', keys[1], 'partitions', way)
        copy_rows(prefix, from, to)
    end
    local got = call('SCAN', cursor, 'MATCH', prefix .. ':{*}:*-*', 'COUNT',
                     MOVED)
    for _, key in ipairs(got[2]) do
        local p, id = string.match(key, '^.-:{(%d+)}:([^:]+%-[^:]+):?%a*$')
        local target = id and crc16(id) % to
        if id and tonumber(p) ~= target and call('EXISTS', key) == 1 then
            moved = moved + rename_device(prefix .. ':{' .. p .. '}:',
                                          prefix .. ':{' .. target .. '}:', id)
        end
    end
    if got[1] == '0' then
        call('HSET', keys[1], 'partitions', args[2])
    end
    return { got[1], moved }
end


-- find

--[[
  A filter is an object: tag, oui, class, version (a text, or its beginning and
  a *), seenAfter, seenBefore, firstAfter, firstBefore (Unix seconds).  One
  index leads, the record of each device decides.  The cursor is the member of
  the index where the last page ended.
]]
local function a_text(v) return type(v) == 'string' and #v <= 1024 end
local function a_time(v) return type(v) == 'number' and v == v
                                and v >= 0 and v <= 1e11 end
local FILTER = { tag = a_text, oui = a_text, class = a_text, version = a_text,
                 seenAfter = a_time, seenBefore = a_time, firstAfter = a_time,
                 firstBefore = a_time }

local function parse_filter(json)
    local f, why = decode(json)
    if not f then
        return nil, 'filter: ' .. why
    end
    for name, v in pairs(f) do
        if not FILTER[name] then
            return nil, 'filter: ' .. shown(name, 64) .. ' is none of class, '
                   .. 'firstAfter, firstBefore, oui, seenAfter, seenBefore, '
                   .. 'tag, version'
        elseif not FILTER[name](v) then
            return nil, 'filter: ' .. name .. ' is not '
                   .. (FILTER[name] == a_text and 'a text of at most 1024 bytes'
                       or 'a Unix time in seconds')
        end
    end
    f.oui = f.oui and string.upper(f.oui)
    return f
end

-- is it this text, or does it begin as it says?
local function is_like(wanted, text)
    if string.sub(wanted, -1) == '*' then
        return string.sub(text, 1, #wanted - 1) == string.sub(wanted, 1, -2)
    end
    return text == wanted
end

local function matches(f, d)
    local seen, first = tonumber(d.seen), tonumber(d.first)
    if not first or not seen
       or f.oui and not is_like(f.oui, d.oui or '')
       or f.class and not is_like(f.class, d.class or '')
       or f.version and not is_like(f.version, d.version or '')
       or seen < (f.seenAfter or 0) or seen > (f.seenBefore or seen)
       or first < (f.firstAfter or 0) or first > (f.firstBefore or first)
    then
        return false
    end
    return not f.tag or string.find(',' .. (d.tags or '') .. ',',
                                    ',' .. f.tag .. ',', 1, true) ~= nil
end

-- bounds in an index of texts: of this text, or of what begins as it says
local function lexical(name, text, before)
    before = before or ''
    if string.sub(text, -1) == '*' then
        local stem = before .. plain(string.sub(text, 1, -2))
        return { name, '[' .. stem, '(' .. stem .. '\255' }
    end
    text = before .. plain(text)
    return { name, '[' .. text .. '\t', '(' .. text .. '\n' }
end

-- the index that leads, and its bounds
local function leader(f)
    if f.tag then
        return lexical('index:tag', f.tag)
    elseif f.oui and f.class and string.sub(f.oui, -1) ~= '*' then
        return lexical('index:model', f.class, f.oui .. ' ')
    elseif f.version then
        return lexical('index:version', f.version)
    elseif f.oui then
        return lexical('index:model', (string.gsub(f.oui, '%*$', '')) .. '*')
    elseif f.firstAfter or f.firstBefore then
        return { 'index:first', f.firstAfter or '-inf', f.firstBefore or '+inf',
                 score = true }
    elseif f.class then
        return { 'index:model', '-', '+' }
    end
    -- of those that the index has from before, few have been seen since
    local from = f.seenAfter
    return { 'index:seen', from or '-inf', f.seenBefore or '+inf', score = true,
             behind = from and { 'index:seen',
                                 math.max(from - BOUND.seen - 1, 0),
                                 '(' .. from, score = true } }
end

-- As indexes are sorted: < of texts is the locale's.
local function is_before(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = string.byte(a, i), string.byte(b, i)
        if x ~= y then
            return x < y
        end
    end
    return #a < #b
end

-- A class alone: the next entry that may be of it, past the others of this OUI.
local function skip_class(f, member)
    local oui, class = string.match(member, '^(%S*) ([^\t]*)\t')
    local stem = plain((string.gsub(f.class, '%*$', '')))
    if not oui or string.sub(class, 1, #stem) == stem then
        return nil
    end
    return is_before(class, stem) and '[' .. oui .. ' ' .. stem or '[' .. oui .. '!'
end

-- the members that follow the one where it ended, at most n
local function page(key, by, after, n)
    if not by.score then
        return call('ZRANGEBYLEX', key, after and after or by[2], by[3],
                    'LIMIT', 0, n)
    end
    local from, skip = by[2], 0
    local score, member = string.match(after or '', '^(%S+) (.*)$')
    if score then
        from = score
        local rank = call('ZRANK', key, member)
        if rank and call('ZSCORE', key, member) + 0 == score + 0 then
            skip = rank + 1 - call('ZCOUNT', key, '-inf', '(' .. score)
        end
    end
    return call('ZRANGEBYSCORE', key, from, by[3], 'LIMIT', skip, n)
end

-- FCALL_RO cwmp_find 1 cwmp:{0}:index:seen FILTER [LIMIT [CURSOR]]: cursor (''
-- when that was all), ID, ID, ...
local function cwmp_find(keys, args)
    local base = base_of(keys[1])
    if not base then
        return no_partition(keys[1])
    end
    local f, wrong = parse_filter(args[1] or '{}')
    local limit = tonumber(args[2] or 100)
    if not f then
        return redis.error_reply('ERR ' .. wrong)
    elseif not whole(limit, 1, FIND.most) then
        return redis.error_reply('ERR LIMIT is not a whole number from 1 to '
                                 .. FIND.most)
    end
    local by = leader(f)
    local key, found_ids, looks = base .. by[1], {}, 0
    local after = args[3] ~= '' and args[3] or nil
    if after and not (by.score and string.find(after, '^[%d.]+ ')
                      or not by.score and string.find(after, '^[[(].'))
    then
        return redis.error_reply('ERR CURSOR is not one of this filter')
    end
    if after and by.behind
       and tonumber(string.match(after, '^%S+')) < f.seenAfter
    then
        by = by.behind
    end
    local function cursor_at(member)
        return by.score and call('ZSCORE', key, member) .. ' ' .. member
               or '(' .. member
    end
    local most = math.min(limit, 100)
    local n, jump = most, nil
    while looks < FIND.looks do
        -- past a jump the first one says whether there is another
        n = jump and 1 or math.min(8 * n, most)
        local members = page(key, by, after, n)
        jump = nil
        for _, member in ipairs(members) do
            looks = looks + 1
            jump = f.class and not f.oui and not by.score
                   and by[1] == 'index:model' and skip_class(f, member)
            if jump then
                break
            end
            local id = string.match(member, '([^\t]*)$')
            local ok, d = pcall(hash_fields, base .. id, RECORD)
            if ok and matches(f, d) then
                found_ids[#found_ids + 1] = id
                if #found_ids == limit then
                    return { cursor_at(member), unpack(found_ids) }
                end
            end
        end
        if members[1] then
            after = jump or cursor_at(members[#members])
        elseif by.behind then
            by = by.behind
            after = by[2] .. ' '
        else
            return { '', unpack(found_ids) }
        end
    end
    return { after, unpack(found_ids) }
end

redis.register_function('cwmp_reconcile', house.whole(cwmp_reconcile))
redis.register_function('cwmp_setting', cwmp_setting)
redis.register_function{ function_name = 'cwmp_delete',      -- makes room
                         callback = house.whole(cwmp_delete),
                         flags = { 'allow-oom' } }
redis.register_function('cwmp_tag', house.whole(cwmp_tag))
redis.register_function('cwmp_leave', house.whole(cwmp_leave))
redis.register_function('cwmp_join', house.whole(cwmp_join))
redis.register_function('cwmp_left', house.whole(cwmp_left))
redis.register_function('cwmp_repartition', cwmp_repartition)
redis.register_function{ function_name = 'cwmp_find',
                         callback = house.whole(cwmp_find),
                         flags = { 'no-writes' } }

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

-- FCALL cwmp_push 1 cwmp:{0}:ID:tasks JSON: the task's id
local function cwmp_push(keys, args)
    local k, id = device_keys(keys[1])
    if not k then
        return house.wrong_key(keys[1])
    end
    local json = args[1] or ''
    local task, field, reason = parse_task(json)
    if not task then
        return redis.error_reply('ERR task refused: ' .. field .. ': '
                                 .. reason)
    end
    several.be_whole(k)
    local c = context(k, id)
    if not task.new and call('HEXISTS', k[DEVICE], 'first') == 0 then
        return redis.error_reply('ERR no device ' .. id .. ' has been seen; '
               .. 'add "new":true to push a task for a device that will come')
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
local function cwmp_cancel(keys, args)
    local k, id = device_keys(keys[1])
    if not k then
        return house.wrong_key(keys[1])
    end
    several.be_whole(k)
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

-- keys: cwmp:meta; args: the number of partitions that the caller works with
local function cwmp_meta_1(keys, args)
    call('HSETNX', keys[1], 'partitions', args[1])
    local n = call('HGET', keys[1], 'partitions')
    if string.find(n, '>', 1, true) then
        return redis.error_reply('ERR the devices are being moved between '
               .. 'partitions (' .. n .. '): run cwmp-partitions to its end')
    elseif n ~= args[1] then
        return redis.error_reply('ERR ' .. keys[1] .. ' says ' .. n
               .. ' partitions: set partitions=' .. n .. ' in cwmp_redis')
    end
    return 'OK'
end

-- Would Redis take a step now?  Not as a replica, nor without the replicas, the
-- disk or the memory that it wants for a write: that is known of a function that
-- may write, before it begins.
local function cwmp_ready_1()
    return 'OK'
end

local function cwmp_version()
    return VERSION
end


-- at load time Lua has no pairs() and no redis.call
redis.register_function('cwmp_step_1', function(keys, args)
    return cwmp_step(keys, args, false)
end)
redis.register_function('cwmp_step_2', function(keys, args)
    return cwmp_step(keys, args, true)
end)
redis.register_function('cwmp_due_2', cwmp_due_2)
redis.register_function{ function_name = 'cwmp_meta_1', callback = cwmp_meta_1,
                         flags = { 'allow-oom' } }
redis.register_function('cwmp_ready_1', cwmp_ready_1)
redis.register_function('cwmp_push', house.whole(cwmp_push))
redis.register_function('cwmp_cancel', house.whole(cwmp_cancel))
house.keeping()
redis.register_function{ function_name = 'cwmp_params',
                         callback = cwmp_params, flags = { 'no-writes' } }
redis.register_function{ function_name = 'cwmp_version',
                         callback = cwmp_version, flags = { 'no-writes' } }
